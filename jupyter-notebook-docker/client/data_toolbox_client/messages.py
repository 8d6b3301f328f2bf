"""Hide messages that are red in a notebook although nothing is wrong."""

import warnings


def hide_advice():
    """Hide two warnings that nearly every model triggers, through no fault of its author."""
    # About integer columns, which matter only if values are missing later, and then raise an error.
    warnings.filterwarnings("ignore", "Hint: Inferred schema contains integer column", UserWarning)
    # MLflow's autologging uses the old name in scikit-learn 1.9.
    warnings.filterwarnings("ignore", "`y_pred` was renamed to `y_proba` in version 1.9", FutureWarning)


def print_results(module):
    """Make a module of MLflow print to stdout instead of stderr that a model was registered."""
    module.eprint = print
