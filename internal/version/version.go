// Package version says which Tripod this is, and which versions of Kubernetes it runs.
package version

import "runtime/debug"

// Tripod is this program's version, such as v1.2.3 or devel-0123456789ab.
func Tripod() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return Of(info)
	}
	return "devel"
}

// Of is the version of the program that was built so.
func Of(info *debug.BuildInfo) string {
	if version := info.Main.Version; version != "" && version != "(devel)" {
		return version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "devel-" + setting.Value[:12]
		}
	}
	return "devel"
}
