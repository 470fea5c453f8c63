package autoscaling

import (
	"encoding/base64"
	"regexp"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// launchConfiguration is what a group may launch by: the forerunner of launch templates. It never changes.
type launchConfiguration struct {
	Name      string    `json:"name"`
	ARN       string    `json:"arn"`
	CreatedAt time.Time `json:"createdAt"`

	ImageID  string   `json:"imageId"`
	Type     string   `json:"type"`
	KeyName  string   `json:"keyName,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	UserData string   `json:"userData,omitempty"` // base64
	Profile  string   `json:"profile,omitempty"`  // as given: a name or an ARN
	Price    string   `json:"price,omitempty"`    // of Spot Instances
	PublicIP *bool    `json:"publicIp,omitempty"`

	// These are recorded and shown.
	Kernel       string           `json:"kernel,omitempty"`
	RAMDisk      string           `json:"ramDisk,omitempty"`
	Devices      []blockDevice    `json:"devices,omitempty"`
	Monitoring   bool             `json:"monitoring"`
	EBSOptimized bool             `json:"ebsOptimized,omitempty"`
	Tenancy      string           `json:"tenancy,omitempty"`
	Metadata     *metadataOptions `json:"metadata,omitempty"`
	ClassicVPC   string           `json:"classicVpc,omitempty"`
	ClassicGroup []string         `json:"classicGroups,omitempty"`
}

type ebs struct {
	SnapshotID          string `query:"SnapshotId" xml:"SnapshotId,omitempty" json:"SnapshotId,omitempty"`
	VolumeSize          *int   `json:",omitempty"`
	VolumeType          string `xml:",omitempty" json:",omitempty"`
	DeleteOnTermination *bool  `json:",omitempty"`
	IOPS                *int   `query:"Iops" xml:"Iops" json:"Iops,omitempty"`
	Encrypted           *bool  `json:",omitempty"`
	Throughput          *int   `json:",omitempty"`
}

type blockDevice struct {
	VirtualName string `xml:",omitempty" json:",omitempty"`
	DeviceName  string
	EBS         *ebs  `query:"Ebs" xml:"Ebs" json:"Ebs,omitempty"`
	NoDevice    *bool `json:",omitempty"`
}

type metadataOptions struct {
	HTTPTokens   string `query:"HttpTokens" xml:"HttpTokens,omitempty" json:"HttpTokens,omitempty"`
	HopLimit     *int   `query:"HttpPutResponseHopLimit" xml:"HttpPutResponseHopLimit" json:"HttpPutResponseHopLimit,omitempty"`
	HTTPEndpoint string `query:"HttpEndpoint" xml:"HttpEndpoint,omitempty" json:"HttpEndpoint,omitempty"`
}

// launchConfigurations are by Name.
var launchConfigurations = state.NewTable[launchConfiguration]("auto-scaling-launch-configuration")

func noConfiguration(name string) error {
	return invalid("Launch configuration name not found - Launch configuration %s not found", wire.Clip(name))
}

var profileARN = regexp.MustCompile(`^arn:[^:]+:iam::\d+:instance-profile/(?:.*/)?([^/]+)$`)

// request is what a group asks EC2 for by the launch configuration.
func (l launchConfiguration) request() ec2.LaunchRequest {
	profile := l.Profile
	if parts := profileARN.FindStringSubmatch(profile); parts != nil {
		profile = parts[1]
	}
	return ec2.LaunchRequest{ImageID: l.ImageID, Type: l.Type, KeyName: l.KeyName, Groups: l.Groups, UserData: l.UserData,
		Profile: profile, Spot: l.Price != "", PublicIP: l.PublicIP}
}

// configurationOf is a launch configuration after an instance.
func (s *Service) configurationOf(v region.Instance, name string, now time.Time) launchConfiguration {
	return launchConfiguration{Name: name, ARN: s.configurationARN(wire.NewRequestID(), name), CreatedAt: now,
		ImageID: v.Launch.ImageID, Type: v.Launch.Type, KeyName: v.Launch.KeyName, Groups: v.Launch.Groups,
		UserData: v.Launch.UserData, Profile: v.Launch.Profile, Monitoring: true}
}

func (s *Service) configurationARN(uuid, name string) string {
	return s.arn("launchConfiguration:" + uuid + ":launchConfigurationName/" + name)
}

type createConfigurationInput struct {
	LaunchConfigurationName string
	ImageID                 string `query:"ImageId"`
	KeyName                 string
	SecurityGroups          []string
	ClassicVPC              string   `query:"ClassicLinkVPCId"`
	ClassicGroups           []string `query:"ClassicLinkVPCSecurityGroups"`
	UserData                string
	InstanceID              string `query:"InstanceId"`
	InstanceType            string
	KernelID                string        `query:"KernelId"`
	RAMDiskID               string        `query:"RamdiskId"`
	Devices                 []blockDevice `query:"BlockDeviceMappings"`
	InstanceMonitoring      *struct{ Enabled *bool }
	SpotPrice               string
	Profile                 string `query:"IamInstanceProfile"`
	EBSOptimized            *bool  `query:"EbsOptimized"`
	PublicIP                *bool  `query:"AssociatePublicIpAddress"`
	PlacementTenancy        string
	MetadataOptions         *metadataOptions
}

func (s *Service) createLaunchConfiguration(call *operation.Call, in *createConfigurationInput) (*none, error) {
	name := in.LaunchConfigurationName
	if err := call.Authorize(wire.Query, Name+":"+call.Operation, s.configurationARN("*", name)); err != nil {
		return nil, err
	}
	if in.InstanceID == "" && (in.ImageID == "" || in.InstanceType == "") {
		return nil, invalid("Valid requests must contain either the InstanceID parameter or both the ImageId and " +
			"InstanceType parameters.")
	}
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		if _, found := launchConfigurations.Get(tx, name); found {
			return refuse("AlreadyExists", "Launch Configuration by this name already exists - A launch configuration already "+
				"exists with the name %s", name)
		}
		if !launchConfigurations.Part("").Fewer(tx, maxConfigurations) {
			return refuse("LimitExceeded", "You've reached the limit of launch configurations: delete some of the %d.",
				maxConfigurations)
		}
		made := launchConfiguration{Name: name, ARN: s.configurationARN(wire.NewRequestID(), name), CreatedAt: now, Monitoring: true}
		if in.InstanceID != "" {
			v, found := region.Instances.Get(tx, in.InstanceID)
			if !found || !v.State.Alive() {
				return invalid("Instance [%s] is invalid.", wire.Clip(in.InstanceID))
			}
			made = s.configurationOf(v, name, now)
		}
		in.over(&made)
		launchConfigurations.Put(tx, name, made)
		return nil
	})
}

// over puts what is given over what the configuration has.
func (in *createConfigurationInput) over(l *launchConfiguration) {
	for to, text := range map[*string]string{&l.ImageID: in.ImageID, &l.Type: in.InstanceType, &l.KeyName: in.KeyName,
		&l.UserData: in.UserData, &l.Profile: in.Profile, &l.Price: in.SpotPrice, &l.Kernel: in.KernelID,
		&l.RAMDisk: in.RAMDiskID, &l.Tenancy: in.PlacementTenancy, &l.ClassicVPC: in.ClassicVPC} {
		if text != "" {
			*to = text
		}
	}
	if len(in.SecurityGroups) > 0 {
		l.Groups = in.SecurityGroups
	}
	if in.UserData != "" { // a client that does not encode it means the text
		if _, err := base64.StdEncoding.DecodeString(in.UserData); err != nil {
			l.UserData = base64.StdEncoding.EncodeToString([]byte(in.UserData))
		}
	}
	if len(in.Devices) > 0 {
		l.Devices = in.Devices
	}
	if in.InstanceMonitoring != nil {
		take(&l.Monitoring, in.InstanceMonitoring.Enabled)
	}
	take(&l.EBSOptimized, in.EBSOptimized)
	if in.PublicIP != nil {
		l.PublicIP = in.PublicIP
	}
	if in.MetadataOptions != nil {
		l.Metadata = in.MetadataOptions
	}
	l.ClassicGroup = in.ClassicGroups
}

type monitoringOutput struct{ Enabled bool }

type configurationOutput struct {
	LaunchConfigurationName, LaunchConfigurationARN string
	ImageID                                         string `xml:"ImageId" json:"ImageId"`
	KeyName                                         string `xml:",omitempty" json:",omitempty"`
	SecurityGroups                                  wire.QueryList[string]
	ClassicVPC                                      string                 `xml:"ClassicLinkVPCId,omitempty" json:"ClassicLinkVPCId,omitempty"`
	ClassicGroups                                   wire.QueryList[string] `xml:"ClassicLinkVPCSecurityGroups" json:"ClassicLinkVPCSecurityGroups"`
	UserData, InstanceType                          string
	KernelID                                        string                      `xml:"KernelId" json:"KernelId"`
	RAMDiskID                                       string                      `xml:"RamdiskId" json:"RamdiskId"`
	Devices                                         wire.QueryList[blockDevice] `xml:"BlockDeviceMappings" json:"BlockDeviceMappings"`
	InstanceMonitoring                              monitoringOutput
	SpotPrice                                       string `xml:",omitempty" json:",omitempty"`
	Profile                                         string `xml:"IamInstanceProfile,omitempty" json:"IamInstanceProfile,omitempty"`
	CreatedTime                                     string
	EBSOptimized                                    bool             `xml:"EbsOptimized" json:"EbsOptimized"`
	PublicIP                                        *bool            `xml:"AssociatePublicIpAddress" json:"AssociatePublicIpAddress,omitempty"`
	PlacementTenancy                                string           `xml:",omitempty" json:",omitempty"`
	MetadataOptions                                 *metadataOptions `json:",omitempty"`
}

func (l launchConfiguration) shown() configurationOutput {
	return configurationOutput{LaunchConfigurationName: l.Name, LaunchConfigurationARN: l.ARN, ImageID: l.ImageID,
		KeyName: l.KeyName, SecurityGroups: l.Groups, ClassicVPC: l.ClassicVPC, ClassicGroups: l.ClassicGroup,
		UserData: l.UserData, InstanceType: l.Type, KernelID: l.Kernel, RAMDiskID: l.RAMDisk, Devices: l.Devices,
		InstanceMonitoring: monitoringOutput{l.Monitoring}, SpotPrice: l.Price, Profile: l.Profile,
		CreatedTime: stamp(l.CreatedAt), EBSOptimized: l.EBSOptimized, PublicIP: l.PublicIP, PlacementTenancy: l.Tenancy,
		MetadataOptions: l.Metadata}
}

type describeConfigurationsInput struct {
	pageInput
	LaunchConfigurationNames []string
}

type describeConfigurationsOutput struct {
	LaunchConfigurations wire.QueryList[configurationOutput]
	NextToken            string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeLaunchConfigurations(call *operation.Call,
	in *describeConfigurationsInput) (*describeConfigurationsOutput, error) {
	var all []configurationOutput
	err := s.State.View(func(tx *state.Txn) error {
		for _, l := range some(tx, launchConfigurations, in.LaunchConfigurationNames) {
			all = append(all, l.shown())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &describeConfigurationsOutput{}
	out.LaunchConfigurations, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(l configurationOutput) string { return l.LaunchConfigurationName })
	return out, err
}

type configurationInput struct{ LaunchConfigurationName string }

func (s *Service) deleteLaunchConfiguration(call *operation.Call, in *configurationInput) (*none, error) {
	name := in.LaunchConfigurationName
	if err := call.Authorize(wire.Query, Name+":"+call.Operation, s.configurationARN("*", name)); err != nil {
		return nil, err
	}
	return change(s, call, &none{}, func(tx *state.Txn) error {
		if _, found := launchConfigurations.Get(tx, name); !found {
			return noConfiguration(name)
		}
		for _, g := range region.AutoScalingGroups.List(tx) {
			if g.Configuration == name {
				return refuse("ResourceInUse", "Cannot delete launch configuration %s because it is attached to AutoScalingGroup %s",
					name, g.Name)
			}
		}
		launchConfigurations.Delete(tx, name)
		return nil
	})
}
