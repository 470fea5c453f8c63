package datadir

import "path/filepath"

// Volume is the directory that an EBS volume is, in the data directory of its region.
func Volume(dataDir, zone, volumeID string) string {
	return ZoneVolume(filepath.Join(dataDir, "zones", zone), volumeID)
}

// ZoneVolume is the same in the zone's part of that.
func ZoneVolume(zoneDir, volumeID string) string { return filepath.Join(zoneDir, "volumes", volumeID) }
