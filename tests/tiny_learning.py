"""The smallest training that still learns: what tests of rewards, actions and tasks have in common."""

from __future__ import annotations

from outlap.driving.task_config import TaskConfig
from outlap.learning.recipes.teacher import TeacherConfig
from outlap.simulation.randomization import OFF

TASK = TaskConfig(
    rate_hz=30,
    curvature_limit=3.3,
    speed_min=0.4,
    speed_limit=2.0,
    episode_s=60,
    edge_margin=0.05,
    edge_penalty=0.5,
    change_penalty=0.05,
    crash_penalty=5,
)
PPO = TeacherConfig(
    cars=4,
    iterations=9,
    steps=5,
    hidden=(8,),
    learning_rate=1e-3,
    desired_kl=0.01,
    discount=0.98,
    trace=0.95,
    epochs=1,
    minibatches=1,
    entropy=0.0,
    first_deviation=0.5,
    head_start=9,
    beside=1,
    randomization=OFF,
)
