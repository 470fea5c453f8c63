package ec2

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"tripod/region"
	"tripod/state"
)

// defaultInstanceType is the one that EC2 takes where none is named.
const defaultInstanceType = "m1.small"

// planMachine decides what the instances are: their type, image, keys and options.
func (s *Service) planMachine(tx *state.Txn, p *launchPlan, data templateData) error {
	l := &p.instance.Launch
	l.Type = cmp.Or(data.InstanceType, defaultInstanceType)
	if CheckInstanceTypes([]string{l.Type}) != nil {
		return refuse("InvalidParameterValue", "Invalid value '%s' for InstanceType.", clip(l.Type))
	}
	if data.ImageID == "" {
		return refuse("MissingParameter", "The request must contain the parameter ImageId")
	}
	image, err := s.imageToLaunch(tx, data.ImageID, l.Type)
	if err != nil {
		return err
	}
	l.ImageID = data.ImageID
	if l.KeyName = data.KeyName; l.KeyName != "" {
		if err := s.CheckKeyPair(tx, l.KeyName); err != nil {
			return err
		}
	}
	if l.UserData = data.UserData; l.UserData != "" {
		script, err := base64.StdEncoding.DecodeString(l.UserData)
		if err != nil {
			return refuse("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
		}
		if len(script) > maxUserData {
			return refuse("InvalidParameterValue", "User data is limited to %d bytes.", maxUserData)
		}
	}
	if l.Profile, err = profileNamed(tx, data.Profile); err != nil {
		return err
	}
	return p.details.fill(data, image)
}

// profileNamed is the name of the instance profile that a launch gives by its name or its ARN.
func profileNamed(tx *state.Txn, given *instanceProfile) (string, error) {
	switch {
	case given == nil || *given == instanceProfile{}:
		return "", nil
	case given.Name != "" && given.ARN != "":
		return "", refuse("InvalidParameterCombination",
			"The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	case given.Name != "":
		if _, found := region.InstanceProfiles.Get(tx, given.Name); !found {
			return "", refuse("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. "+
				"Invalid IAM Instance Profile name", clip(given.Name))
		}
		return given.Name, nil
	}
	name := given.ARN[strings.LastIndex(given.ARN, "/")+1:]
	if profile, found := region.InstanceProfiles.Get(tx, name); !found || profile.ARN != given.ARN {
		return "", refuse("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.arn is invalid. "+
			"Invalid IAM Instance Profile ARN", clip(given.ARN))
	}
	return name, nil
}

// fill takes an instance's options from what a launch says, and its volumes also from its image.
func (d *instanceDetails) fill(data templateData, image launchImage) error {
	given := func(v *bool) bool { return v != nil && *v }
	d.NoTermination, d.NoStop, d.EBSOptimized = given(data.NoTermination), given(data.NoStop), data.EBSOptimized
	d.Monitored = data.Monitoring != nil && data.Monitoring.Enabled
	switch data.Shutdown {
	case "", "stop", "terminate":
		d.Shutdown = data.Shutdown
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid. "+
			"It must be stop or terminate.", clip(data.Shutdown))
	}
	if data.Metadata != nil {
		d.Metadata = *data.Metadata
	}
	if !image.tokens {
		one := 1
		d.Metadata.Tokens, d.Metadata.HopLimit = cmp.Or(d.Metadata.Tokens, "optional"), cmp.Or(d.Metadata.HopLimit, &one)
	}
	if data.Metadata != nil {
		if err := d.Metadata.check(); err != nil {
			return err
		}
	}
	if data.Credits != nil {
		if d.Credits = data.Credits.CPU; d.Credits != "standard" && d.Credits != "unlimited" {
			return refuse("InvalidParameterValue", "Value (%s) for parameter creditSpecification.cpuCredits is invalid. "+
				"It must be standard or unlimited.", clip(d.Credits))
		}
	}
	if data.CPU != nil {
		d.CPU = *data.CPU
	}
	if data.Placement != nil {
		d.Placement = *data.Placement
		d.Placement.Zone = ""
	}
	if data.Names != nil {
		d.Hostname, d.NameA, d.NameAAAA = data.Names.HostnameType, given(data.Names.A), given(data.Names.AAAA)
	}
	if data.Reservations != nil {
		d.Reservations = data.Reservations.Preference
	}
	d.Hibernation = data.Hibernation != nil && data.Hibernation.Configured
	d.Enclave = data.Enclave != nil && data.Enclave.Enabled
	if data.Maintenance != nil && data.Maintenance.Recovery != "default" {
		d.Recovery = data.Maintenance.Recovery
	}
	if data.Market.spot() && data.Market.Spot != nil {
		d.SpotPersistent = data.Market.Spot.Type == "persistent"
		d.SpotAction = data.Market.Spot.Action
	}
	return d.fillDisks(data.Devices, image)
}

// fillDisks decides on the volumes: the image's, with what the launch says of each over it, and those that it adds.
func (d *instanceDetails) fillDisks(devices []blockDevice, image launchImage) error {
	d.Root = image.root
	d.Disks = slices.Clone(image.disks)
	for _, given := range devices {
		if given.NoDevice != nil {
			d.Disks = slices.DeleteFunc(d.Disks, func(v instanceDisk) bool { return v.Device == given.Name })
			continue
		}
		if given.Disk == nil {
			continue // an instance store volume, which the type has or has not
		}
		to := &d.Root
		if given.Name != d.Root.Device {
			at := slices.IndexFunc(d.Disks, func(v instanceDisk) bool { return v.Device == given.Name })
			if at < 0 {
				at, d.Disks = len(d.Disks), append(d.Disks, instanceDisk{Device: given.Name, Type: "gp2", GiB: 8})
			}
			to = &d.Disks[at]
		}
		if err := to.lay(*given.Disk); err != nil {
			return err
		}
	}
	return nil
}

// volumeTypes are the types of EBS volumes.
var volumeTypes = []string{"standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"}

// lay lays over a volume what a launch says of it.
func (v *instanceDisk) lay(given disk) error {
	if given.GiB != nil {
		if *given.GiB < v.GiB && v.Snapshot != "" {
			return refuse("InvalidBlockDeviceMapping", "Volume of size %dGB is smaller than snapshot '%s', expect size>= %dGB",
				*given.GiB, v.Snapshot, v.GiB)
		}
		v.GiB = *given.GiB
	}
	if given.Type != "" {
		if !slices.Contains(volumeTypes, given.Type) {
			return refuse("InvalidParameterValue", "Value (%s) for parameter volumeType is invalid. Unknown volume type.",
				clip(given.Type))
		}
		v.Type, v.IOPS, v.Throughput = given.Type, 0, 0
	}
	switch v.Type {
	case "gp3":
		v.IOPS, v.Throughput = cmp.Or(v.IOPS, 3000), cmp.Or(v.Throughput, 125)
	case "gp2":
		v.IOPS, v.Throughput = max(100, min(16000, 3*v.GiB)), 0
	}
	if given.IOPS != nil {
		v.IOPS = *given.IOPS
	}
	if given.Throughput != nil {
		v.Throughput = *given.Throughput
	}
	if given.Encrypted != nil {
		v.Encrypted = *given.Encrypted
	}
	v.Snapshot, v.Key = cmp.Or(given.Snapshot, v.Snapshot), cmp.Or(given.Key, v.Key)
	v.Keeps = given.Deleted != nil && !*given.Deleted
	return nil
}

// check refuses metadata options that EC2 does not have.
func (o metadataOptions) check() error {
	for _, one := range []struct{ name, value, first, second string }{
		{"httpTokens", o.Tokens, "optional", "required"},
		{"httpEndpoint", o.Endpoint, "enabled", "disabled"},
		{"httpProtocolIpv6", o.IPv6, "enabled", "disabled"},
		{"instanceMetadataTags", o.InstanceTags, "enabled", "disabled"},
	} {
		if one.value != "" && one.value != one.first && one.value != one.second {
			return refuse("InvalidParameterValue", "Value (%s) for parameter metadataOptions.%s is invalid. It must be %s or %s.",
				clip(one.value), one.name, one.first, one.second)
		}
	}
	if o.HopLimit != nil && (*o.HopLimit < 1 || *o.HopLimit > 64) {
		return refuse("InvalidParameterValue", "Value (%d) for parameter metadataOptions.httpPutResponseHopLimit is invalid. "+
			"It must be between 1 and 64.", *o.HopLimit)
	}
	return nil
}
