"""What make_fixtures.py, parity.py and roundtrip.py share: tiny models, their tokenizers and what transformers answers."""
