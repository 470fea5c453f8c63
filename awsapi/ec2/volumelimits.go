package ec2

import (
	"slices"

	"tripod/internal/instancetypes"
	"tripod/region"
)

// volumeLimits are what EBS lets a volume of a type be ("Amazon EBS volume types" in the EBS user guide).
type volumeLimits struct {
	least, most         int     // GiB
	leastIOPS, mostIOPS int     // 0: none may be asked for
	ratio               float64 // of IOPS to GiB, at most
	throughput          int     // MiB a second at most; 0: none may be asked for
}

var limitsOfVolumes = map[string]volumeLimits{
	"standard": {least: 1, most: 1024},
	"gp2":      {least: 1, most: 16384},
	"gp3":      {least: 1, most: 65536, leastIOPS: 3000, mostIOPS: 80000, ratio: 500, throughput: 2000},
	"io1":      {least: 4, most: 16384, leastIOPS: 100, mostIOPS: 64000, ratio: 50},
	"io2":      {least: 4, most: 65536, leastIOPS: 100, mostIOPS: 256000, ratio: 1000},
	"st1":      {least: 125, most: 16384},
	"sc1":      {least: 125, most: 16384},
}

// askedShape is what a call asks of a volume's shape; nil: it says nothing.
type askedShape struct {
	GiB, IOPS, Throughput *int
	Type                  string
	MultiAttach           *bool
}

// lay is a shape with what a call asks for laid over it. Who asks for another type has that type's defaults.
func (asked askedShape) lay(v region.VolumeShape) (region.VolumeShape, error) {
	if asked.Type != "" && asked.Type != v.Type {
		if _, known := limitsOfVolumes[asked.Type]; !known {
			return v, refuse("InvalidParameterValue", "Value (%s) for parameter volumeType is invalid. Unknown volume type.",
				clip(asked.Type))
		}
		v.Type, v.IOPS, v.Throughput = asked.Type, 0, 0
	}
	limits := limitsOfVolumes[v.Type]
	if asked.GiB != nil {
		v.GiB = *asked.GiB
	}
	if asked.MultiAttach != nil {
		v.MultiAttach = *asked.MultiAttach
	}
	switch {
	case v.GiB < limits.least:
		return v, refuse("InvalidParameterValue", "Volume of %dGiB is too small; minimum is %dGiB.", v.GiB, limits.least)
	case v.GiB > limits.most:
		return v, refuse("InvalidParameterValue", "Volume of %dGiB is too large for volume type %s; maximum is %dGiB.", v.GiB, v.Type,
			limits.most)
	case v.MultiAttach && v.Type != "io1" && v.Type != "io2":
		return v, refuse("InvalidParameterCombination", "The parameter multiAttachEnabled is not supported for %s volumes.", v.Type)
	}
	return asked.perform(v, limits)
}

// perform is the part of lay that is about how fast a volume is.
func (asked askedShape) perform(v region.VolumeShape, limits volumeLimits) (region.VolumeShape, error) {
	switch {
	case asked.IOPS != nil && limits.mostIOPS == 0:
		return v, refuse("InvalidParameterCombination", "The parameter iops is not supported for %s volumes.", v.Type)
	case asked.Throughput != nil && limits.throughput == 0:
		return v, refuse("InvalidParameterCombination", "The parameter throughput is not supported for %s volumes.", v.Type)
	case asked.IOPS == nil && v.IOPS == 0 && (v.Type == "io1" || v.Type == "io2"):
		return v, refuse("MissingParameter", "The request must contain the parameter iops")
	}
	switch {
	case asked.IOPS != nil:
		v.IOPS = *asked.IOPS
	case v.Type == "gp2":
		v.IOPS = max(100, min(16000, 3*v.GiB))
	case v.Type == "gp3" && v.IOPS == 0:
		v.IOPS = 3000
	}
	switch {
	case asked.Throughput != nil:
		v.Throughput = *asked.Throughput
	case v.Type == "gp3" && v.Throughput == 0:
		v.Throughput = 125
	}
	if limits.mostIOPS == 0 {
		return v, nil
	}
	ratio := float64(v.IOPS) / float64(v.GiB)
	speed := float64(v.Throughput) / float64(v.IOPS)
	switch {
	case v.IOPS < limits.leastIOPS:
		return v, refuse("InvalidParameterValue", "Volume iops of %d is too low; minimum is %d.", v.IOPS, limits.leastIOPS)
	case v.IOPS > limits.mostIOPS:
		return v, refuse("InvalidParameterValue", "Volume iops of %d is too high; maximum is %d.", v.IOPS, limits.mostIOPS)
	case ratio > limits.ratio && v.IOPS > limits.leastIOPS:
		return v, refuse("InvalidParameterValue", "Iops to volume size ratio of %f is too high; maximum is %f", ratio, limits.ratio)
	case limits.throughput > 0 && (v.Throughput < 125 || v.Throughput > limits.throughput):
		return v, refuse("InvalidParameterValue", "Throughput (MiB/s) of %d is out of range; it must be between 125 and %d.",
			v.Throughput, limits.throughput)
	case limits.throughput > 0 && speed > 0.25:
		return v, refuse("InvalidParameterValue", "Throughput (MiB/s) to iops ratio of %f is too high; maximum is 0.250000 MiB/s "+
			"per iops", speed)
	}
	return v, nil
}

// mostAttachments is how many volumes an instance of a type may have, its root volume among them.
func mostAttachments(instanceType string) int {
	t, _ := instancetypes.Find(instanceType)
	return t.VolumeSlots()
}

// freeDevice says whether a device name is one, and free on an instance.
func freeDevice(device string, attached []region.Volume, instanceID string) error {
	if device == "" {
		return refuse("MissingParameter", "The request must contain the parameter device")
	}
	if len(device) < 3 || len(device) > 32 {
		return refuse("InvalidParameterValue", "Value (%s) for parameter device is invalid. %s is not a valid EBS device name.",
			clip(device), clip(device))
	}
	if slices.ContainsFunc(attached, func(v region.Volume) bool {
		a, _ := v.AttachedTo(instanceID)
		return a.Device == device
	}) {
		return refuse("InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
	}
	return nil
}
