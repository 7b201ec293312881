"""The linear model on the features files of `IAL_DATA_DIR`: its accuracy, and its time.

Where there is none, says so. What must be reached is named by the beginning of a file's name.
"""

import time

from engine import fit, influence_scores, load_dataset
from engine.data.load import dataset_names
from engine.settings import read_settings

LEAST_ACCURACY = {"caltech101": 0.93}  # on holdout


def main() -> None:
    data_dir = read_settings().data_dir
    names = [name for name in dataset_names(data_dir) if (data_dir / f"{name}.npz").is_file()]
    if not names:
        print(f"NOT RUN: there is no features file in '{data_dir}' (IAL_DATA_DIR)")
    for name in names:
        dataset = load_dataset(name, data_dir)
        began = time.perf_counter()
        model = fit(dataset)
        fitted = time.perf_counter()
        found = influence_scores(model, dataset)
        ranked = time.perf_counter()
        accuracy = model.accuracy(dataset.X_holdout, dataset.y_holdout)
        print(
            f"{name}: {dataset.n_train:,} × {dataset.n_features:,}, {dataset.n_classes} classes: "
            f"holdout accuracy {accuracy:.2%}, fit {fitted - began:.1f} s to a gradient norm of "
            f"{model.gradient_norm:.1e}, scores "
            f"{ranked - fitted:.1f} s in {found.iterations} iterations"
        )
        for beginning, least in LEAST_ACCURACY.items():
            if name.startswith(beginning) and accuracy < least:
                raise SystemExit(f"{name}: holdout accuracy {accuracy:.2%} is below {least:.0%}.")


if __name__ == "__main__":
    main()
