package datadir

import "path/filepath"

// Volume is the directory that an EBS volume is, in the data directory of its region.
func Volume(dataDir, zone, volumeID string) string {
	return ZoneVolume(ZoneDir(dataDir, zone), volumeID)
}

// ZoneDir is a zone's part of a data directory.
func ZoneDir(dataDir, zone string) string { return filepath.Join(dataDir, "zones", zone) }

// ZoneVolume is the same in the zone's part of that.
func ZoneVolume(zoneDir, volumeID string) string { return filepath.Join(zoneDir, "volumes", volumeID) }

// FileSystem is the directory that an EFS file system is: one of the region, or where zone is not empty one of that zone.
func FileSystem(dataDir, zone, fileSystemID string) string {
	if zone != "" {
		dataDir = ZoneDir(dataDir, zone)
	}
	return filepath.Join(dataDir, "filesystems", fileSystemID)
}

// NodeDir is what a node holds of its pods and of itself, in its zone's part: it ends with its instance.
func NodeDir(zoneDir, instanceID string) string { return filepath.Join(zoneDir, "nodes", instanceID) }

// PodDir has a pod's own volumes, emptyDir, by their names: they end with the pod. nodeDir is its node's.
func PodDir(nodeDir, podUID string) string { return filepath.Join(nodeDir, "pods", podUID) }

// RouterDir is where a node's log router writes down how far it is.
func RouterDir(nodeDir string) string { return filepath.Join(nodeDir, "router") }

// NodeRoot is what volumes of the type hostPath are of: the node's own root.
func NodeRoot(nodeDir string) string { return filepath.Join(nodeDir, "root") }
