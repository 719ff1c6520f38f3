"""Makes model.joblib: `python train.py`, in an environment of requirements.lock."""

from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

if __name__ == "__main__":
    digits = load_digits()
    model = LogisticRegression(max_iter=2000).fit(digits.data, digits.target)
    joblib.dump(model, Path(__file__).with_name("model.joblib"))
