"""The workers that an experiment names."""

from sonotempo.config import Experiment
from sonotempo.study.engine.local import local_workers
from sonotempo.study.engine.outcome import Workers


def workers_for(experiment: Experiment) -> Workers:
    """Return the workers of an experiment; none has started yet.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at its address.
    """
    if experiment.engine.kind == "ray":
        from sonotempo.study.engine.ray_cluster import ray_workers  # noqa: PLC0415  optional

        return ray_workers(experiment)
    return local_workers(experiment)
