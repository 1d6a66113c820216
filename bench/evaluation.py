"""Evaluated laps per minute and core: what `outlap evaluate` does, on the tracks that ship and in both directions.

A policy file drives standing-start laps from pictures under the randomization `off`, with its laps shared among all
cores. No other evaluator of such policies can be installed to be measured beside it; for scale, the ratio is to the
laps that cores would drive if each ran one live simulator in real time, as Gazebo or DeepRacer's evaluation does.
Beside laps a minute of wall clock, for which the machine should be idle, laps a minute of a core's time are reported;
both count what the processes take to start.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

from outlap.driving.choice import PolicyDriver
from outlap.errors import OutlapError
from outlap.evaluation.laps import planned
from outlap.evaluation.sharing import Task, cores, drive_all
from outlap.learning.runs.folder import RunFolder
from outlap.simulation.randomization import load_randomization
from outlap.track.gathering import gather_tracks
from outlap.vehicle.car import load_car

DEMO = RunFolder("runs/demo").policy_file  # where `make demo` leaves one


def main() -> None:
    """Drive the laps, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("policy", nargs="?", type=Path, default=DEMO, help="a policy file; by default the demo's")
    parser.add_argument("--trials", type=int, default=60, help="laps a track and direction")
    parser.add_argument("--randomization", default="off", help="a name in config/randomization, or a file")
    options = parser.parse_args()
    if options.policy == DEMO and not DEMO.is_file():
        print(f"nothing measured: there is no {DEMO}, which `make demo` trains, and no other policy was named")
        return
    car, jobs = load_car(), cores()
    driver, tracks = PolicyDriver.load(options.policy, car), gather_tracks([], both_directions=True)
    randomization = load_randomization(options.randomization)
    laps = planned(tracks, options.trials, [0])
    # A few laps before, so that everything is compiled; what a process takes to start belongs to the measure.
    drive_all([Task(driver, randomization, laps[:2])], tracks, car, 1)
    begin, used = time.perf_counter(), _used()
    (driven,) = drive_all([Task(driver, randomization, laps)], tracks, car, jobs)
    minutes, worked = (time.perf_counter() - begin) / 60, (_used() - used) / 60
    completed = [trial.lap_time_s for trial in driven.trials if trial.lap_time_s is not None]
    if not completed:
        raise OutlapError(f"{options.policy} completed no lap, so that laps a minute would mean nothing.")
    # Laps that end off the road are short: only completed ones count.
    rate, real_time = len(completed) / minutes / jobs, 60 * len(completed) / sum(completed)
    print(f"{len(completed)} of {len(laps)} laps completed in {60 * minutes:.1f} s on {jobs} cores")
    result = {
        "laps_per_minute_and_core": round(rate, 1),
        "peer": "one car in real time",
        "peer_per_minute_and_core": round(real_time, 2),
        "ratio": round(rate / real_time, 1),
        "laps_per_core_minute": round(len(completed) / worked, 1),
    }
    print(json.dumps(result))


def _used() -> float:
    """Seconds of a core's time that this process and its ended children have taken."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in both)


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
