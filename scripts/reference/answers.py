"""What transformers answers for a directory."""

import json
from pathlib import Path

import torch
import transformers

from .architectures import HEADS

HEAD_OF_CLASS = {"ForTokenClassification": "token", "ForSequenceClassification": "seq", "ForMaskedLM": "mlm"}
BATCH = 8


class Reference:
    """A directory as transformers reads it, in f32 on the CPU."""

    def __init__(self, folder: Path):
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        classes = config.get("architectures") or [""]
        self.head = next((head for end, head in HEAD_OF_CLASS.items() if classes[0].endswith(end)), None)
        loader = HEADS[self.head] if self.head else transformers.AutoModel
        self.model, self.report = loader.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        self.model.eval()
        self.folder = folder

    def max_tokens(self) -> int:
        config = self.model.config
        roberta = config.model_type in ("roberta", "xlm-roberta", "camembert")
        return config.max_position_embeddings - (config.pad_token_id + 1 if roberta else 0)

    def tokenizer(self) -> transformers.PreTrainedTokenizerBase:
        """The class that transformers chooses, or without tokenizer_config.json what tokenizer.json says."""
        if (self.folder / "tokenizer_config.json").exists():
            return transformers.AutoTokenizer.from_pretrained(self.folder)
        return transformers.PreTrainedTokenizerFast(tokenizer_file=str(self.folder / "tokenizer.json"))

    def alone(self, entry: dict, hidden: bool = False) -> torch.Tensor:
        """Logits [tokens, labels] or [labels] of one sequence; with `hidden` its last hidden states."""
        return self.together([entry], hidden)[0]

    def together(self, entries: list[dict], hidden: bool = False) -> list[torch.Tensor]:
        """The same for several, padded to the longest in batches."""
        return [row for start in range(0, len(entries), BATCH) for row in self.batch(entries[start:][:BATCH], hidden)]

    @torch.no_grad()
    def batch(self, entries: list[dict], hidden: bool) -> list[torch.Tensor]:
        lengths = [len(entry["ids"]) for entry in entries]
        inputs = {
            "input_ids": padded([entry["ids"] for entry in entries], self.model.config.pad_token_id or 0),
            "attention_mask": padded([[1] * length for length in lengths], 0),
        }
        if "type_ids" in entries[0] and getattr(self.model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = padded([entry["type_ids"] for entry in entries], 0)
        model = self.model.base_model if hidden else self.model
        output = model(**inputs)
        rows = output.last_hidden_state if hidden or self.head is None else output.logits
        return list(rows) if rows.dim() == 2 else [row[:length] for row, length in zip(rows, lengths)]


def padded(rows: list, value: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
