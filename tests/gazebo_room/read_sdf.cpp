// Says what libsdformat makes of SDF files: errors and warnings on stderr; on stdout each world, and each model, frame
// and light in it with its pose in the world ("model racecar x y z roll pitch yaw"); of a model alone, URDF too, its
// joints, its visuals with their flags and its sensors.
#include <iostream>
#include <sdf/sdf.hh>

template <typename Thing>
bool print(const char *kind, const Thing &thing)
{
  auto pose = thing.RawPose();
  bool good = true;
  for (const auto &error : thing.SemanticPose().Resolve(pose, "world"))
  {
    std::cerr << error << "\n";
    good = false;
  }
  std::cout << kind << " " << thing.Name() << " " << pose << "\n";
  return good;
}

void print(const sdf::Model &model)
{
  std::cout << "model " << model.Name() << "\n";
  for (uint64_t i = 0; i < model.JointCount(); ++i)
    std::cout << "joint " << model.JointByIndex(i)->Name() << "\n";
  for (uint64_t i = 0; i < model.LinkCount(); ++i)
  {
    const sdf::Link &link = *model.LinkByIndex(i);
    std::cout << "link " << link.Name() << " " << link.Inertial().MassMatrix().Mass() << "\n";
    for (uint64_t j = 0; j < link.VisualCount(); ++j)
      std::cout << "visual " << link.VisualByIndex(j)->Name() << " " << link.VisualByIndex(j)->VisibilityFlags() << "\n";
    for (uint64_t j = 0; j < link.SensorCount(); ++j)
      std::cout << "sensor " << link.SensorByIndex(j)->Name() << " " << link.SensorByIndex(j)->TypeStr() << " "
                << link.SensorByIndex(j)->CameraSensor()->VisibilityMask() << "\n";
  }
}

int main(int argc, char **argv)
{
  bool good = true;
  for (int file = 1; file < argc; ++file)
  {
    sdf::Root root;
    for (const auto &error : root.Load(argv[file]))
    {
      std::cerr << argv[file] << ": " << error << "\n";
      good = false;
    }
    if (root.Model())
      print(*root.Model());
    for (uint64_t w = 0; w < root.WorldCount(); ++w)
    {
      const sdf::World &world = *root.WorldByIndex(w);
      std::cout << "world " << world.Name() << "\n";
      for (uint64_t i = 0; i < world.ModelCount(); ++i)
        good &= print("model", *world.ModelByIndex(i));
      for (uint64_t i = 0; i < world.FrameCount(); ++i)
        good &= print("frame", *world.FrameByIndex(i));
      for (uint64_t i = 0; i < world.LightCount(); ++i)
        good &= print("light", *world.LightByIndex(i));
    }
  }
  return good ? 0 : 1;
}
