"""Messages that are red in a notebook although nothing is wrong."""

import warnings


def hide_advice():
    """Hide two warnings that come with nearly every model, and are about nothing that its author did."""
    # Each model with a column of integers, which is only wrong if some are missing later: that is then an error.
    warnings.filterwarnings("ignore", "Hint: Inferred schema contains integer column", UserWarning)
    # MLflow's autologging calls scikit-learn 1.9 by the older name.
    warnings.filterwarnings("ignore", "`y_pred` was renamed to `y_proba` in version 1.9", FutureWarning)


def print_results(module):
    """Have a module of MLflow print to stdout that a model was registered."""
    module.eprint = print
