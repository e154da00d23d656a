"""What users type first: scikit-learn's estimators behind a StandardScaler, and Optuna over its MLP."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from default_sets import Parts
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nas_surgery.strategies.jobs import PASSES

TRIALS = 20
VALIDATION = 0.2
LAYERS, UNITS = (1, 3), (4, 512)
Row = dict[str, Any]


def mlp(parts: Parts, seed: int, **settings: Any) -> Row:
    """MLPClassifier or MLPRegressor."""
    model = _fitted(_mlp(parts.regression, seed, settings), parts.x, parts.y)
    inner = _inner(model)
    return {
        "test": model.score(parts.x_test, parts.y_test),
        "parameters": sum(each.size for each in (*inner.coefs_, *inner.intercepts_)),
        "hidden": [each.shape[1] for each in inner.coefs_[:-1]],
        "macs": _macs(inner, len(parts.x)),
    }


def optuna(parts: Parts, seed: int) -> Row:
    """The best of twenty trials by validation, trained again on the whole training part."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    strata = None if parts.regression else parts.y
    x, x_held, y, y_held = train_test_split(
        parts.x, parts.y, test_size=VALIDATION, random_state=seed, stratify=strata
    )
    spent = []

    def trial_score(trial: optuna.Trial) -> float:
        model = _fitted(_mlp(parts.regression, seed, _drawn(trial)), x, y)
        spent.append(_macs(_inner(model), len(x)))
        return float(model.score(x_held, y_held))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(trial_score, n_trials=TRIALS)
    best = mlp(parts, seed, **_drawn(study.best_trial))
    best["macs"] += sum(spent)
    return {**best, "validation": study.best_value, "settings": study.best_params}


def boosting(parts: Parts, seed: int) -> Row:
    """Histogram gradient boosting."""
    regressor = HistGradientBoostingRegressor(random_state=seed)
    if parts.y.ndim > 1:
        regressor = MultiOutputRegressor(regressor)
    model = regressor if parts.regression else HistGradientBoostingClassifier(random_state=seed)
    return {"test": model.fit(parts.x, parts.y).score(parts.x_test, parts.y_test)}


def linear(parts: Parts, seed: int) -> Row:
    """Logistic or ridge regression."""
    model = RidgeCV() if parts.regression else LogisticRegression(max_iter=1_000)
    fitted = _fitted(make_pipeline(StandardScaler(), model), parts.x, parts.y)
    inner = fitted[-1]
    size = np.size(inner.coef_) + np.size(inner.intercept_)
    return {"test": fitted.score(parts.x_test, parts.y_test), "parameters": size}


def _drawn(trial: Any) -> Row:
    """Sizes and settings of one trial; a trial that is over gives its own again."""
    depth = trial.suggest_int("layers", *LAYERS)
    sizes = [trial.suggest_int(f"units {i}", *UNITS, log=True) for i in range(depth)]
    return {
        "hidden_layer_sizes": tuple(sizes),
        "learning_rate_init": trial.suggest_float("rate", 1e-4, 1e-1, log=True),
        "alpha": trial.suggest_float("alpha", 1e-6, 1.0, log=True),
        "batch_size": trial.suggest_categorical("batch", [16, 32, 64, 128, 256]),
    }


def _mlp(regression: bool, seed: int, settings: Row) -> Any:
    model = (MLPRegressor if regression else MLPClassifier)(random_state=seed, **settings)
    pipeline = make_pipeline(StandardScaler(), model)
    if not regression:
        return pipeline
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def _inner(model: Any) -> Any:
    return (model.regressor_ if isinstance(model, TransformedTargetRegressor) else model)[-1]


def _fitted(model: Any, x: Any, y: Any) -> Any:
    with warnings.catch_warnings():  # neither the number of epochs nor a small last batch is ours
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(x, y)


def _macs(model: Any, samples: int) -> int:
    return PASSES * sum(each.size for each in model.coefs_) * samples * model.n_iter_


RIVALS: dict[str, Callable[[Parts, int], Row]] = {
    "MLP": mlp,
    "MLP, 20 Optuna trials": optuna,
    "boosting": boosting,
    "linear": linear,
}
