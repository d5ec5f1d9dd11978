//! Documents, spans, labels, tag schemes and metrics: the vocabulary of Vestnik.
