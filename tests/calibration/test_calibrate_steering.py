from __future__ import annotations
import math, time
import numpy as np
from pathlib import Path
from outlap.calibration.fakes.car import HiddenCar, drawn
from outlap.calibration.fakes.person import Person
from outlap.calibration.rig import Rig
from outlap.calibration.steering import calibrate_steering
from outlap.calibration.speed import calibrate_speed
from outlap.vehicle.car import load_car
from outlap.files import share_directory
ACT="""
actuator:
  driver: pca9685
  steering: {centre: 1500, left: [0.6, 1800], right: [-0.6, 1200]}
  speed: {neutral: 1500, forward: [[0, 1550], [5, 1900]], reverse: [[0, 1450], [5, 1100]]}
"""
p=Path("/tmp/s5/try.yaml"); p.write_text((share_directory()/"config"/"cars"/"deepracer.yaml").read_text()+ACT)
car=load_car(p)
import sys
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    rng=np.random.default_rng(seed)
    h=drawn(rng)
    hc=HiddenCar(car,h,rng); person=Person(hc,rng); rig=Rig(car,hc,person)
    t=time.time()
    f=calibrate_steering(car,rig,person)
    sgn=-1 if h.mirrored else 1
    err=[math.degrees(hc.horn(f.signal(a))-a) for a in (f.left[0],f.left[0]/2,f.right[0]/2,f.right[0])]
    print(seed, "trim", round(f.centre-h.trim,2), "deg", np.round(err,2), round(hc.time), round(time.time()-t,1), end=" | ")
    t=time.time()
    from outlap.calibration.carfile import changed
    q=Path("/tmp/s5/try2.yaml"); q.write_text(changed(p.read_text(), f.changes())); car2=load_car(q)
    hc=HiddenCar(car2,h,rng); person=Person(hc,rng); rig=Rig(car2,hc,person)
    try:
        s=calibrate_speed(car2,rig,person)
    except Exception as e:
        print("ERR", e, h); print(person.said[-4:]); continue
    f=lambda v,pts: np.interp(v,[p[0] for p in pts],[p[1] for p in pts])
    ef=[100*(hc.steady_speed(f(v,s.forward))/v-1) for v in np.linspace(0.5,s.max_speed,20)]
    eb=[100*(-hc.steady_speed(f(v,s.reverse))/v-1) for v in np.linspace(0.5,s.max_reverse_speed,20)] if s.reverse else [0]
    ep=[100*(hc.steady_speed(g)/v-1) for v,g in s.forward[1:]]
    print(s.double_tap==h.double_tap, s.brake and round(s.brake), "max", s.max_speed, round(max(map(abs,ef)),1), round(max(map(abs,ep)),1), "rev", s.max_reverse_speed, round(max(map(abs,eb)),1), "edge", round(abs(s.forward[0][1]-h.neutral)-h.dead,1), round(time.time()-t,1), person.asked.count("distance"))
