"""Probabilities of scikit-learn's logistic regression, for crates/vestnik-infer/src/logistic_regression/tests.rs.

    python scripts/record_logistic_regression.py
"""

import json
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression

OUT = Path(__file__).parent.parent / "crates/vestnik-infer/tests/logistic_regression.json"
EXAMPLES, FEATURES, LABELS = 18, 5, 3


def main():
    random = numpy.random.default_rng(7)
    labels = numpy.arange(EXAMPLES) % LABELS
    features = random.normal(size=(EXAMPLES, FEATURES)) + 0.5 * labels[:, None]
    features = features.round(4)
    cases = []
    for penalty in [0.01, 1.0, 30.0]:
        fitted = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=10000).fit(features, labels)
        probabilities = fitted.predict_proba(features).round(9).tolist()
        cases.append({"penalty": penalty, "probabilities": probabilities})
    recorded = {"features": features.tolist(), "labels": labels.tolist(), "cases": cases}
    OUT.write_text(json.dumps(recorded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
