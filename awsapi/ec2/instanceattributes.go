package ec2

import (
	"cmp"
	"encoding/base64"
	"slices"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
	"tripod/region"
	"tripod/state"
)

type describeInstanceAttributeInput struct {
	ID        string `ec2:"InstanceId,required"`
	Attribute string `ec2:"Attribute,required"`
}

// valueOf is an attribute's value as EC2 shows it.
type valueOf[T any] struct {
	Value T `xml:"value"`
}

func shownValue[T any](value T) *valueOf[T] { return &valueOf[T]{value} }

type describeInstanceAttributeOutput struct {
	InstanceID     string                `xml:"instanceId"`
	Groups         *list[groupID]        `xml:"groupSet"`
	Devices        *list[instanceDevice] `xml:"blockDeviceMapping"`
	NoTermination  *valueOf[bool]        `xml:"disableApiTermination"`
	NoStop         *valueOf[bool]        `xml:"disableApiStop"`
	ENASupport     *valueOf[bool]        `xml:"enaSupport"`
	Enclave        *enclave              `xml:"enclaveOptions"`
	EBSOptimized   *valueOf[bool]        `xml:"ebsOptimized"`
	Shutdown       *valueOf[string]      `xml:"instanceInitiatedShutdownBehavior"`
	Type           *valueOf[string]      `xml:"instanceType"`
	Kernel         *struct{}             `xml:"kernel"`
	ProductCodes   *list[struct{}]       `xml:"productCodes"`
	Ramdisk        *struct{}             `xml:"ramdisk"`
	RootDeviceName *valueOf[string]      `xml:"rootDeviceName"`
	SourceCheck    *valueOf[bool]        `xml:"sourceDestCheck"`
	SRIOV          *valueOf[string]      `xml:"sriovNetSupport"`
	UserData       *userData             `xml:"userData"`
}

type groupID struct {
	ID string `xml:"groupId"`
}

// userData is empty where an instance has none.
type userData struct {
	Value string `xml:"value,omitempty"`
}

func (s *Service) describeInstanceAttribute(call *operation.Call,
	in *describeInstanceAttributeInput) (*describeInstanceAttributeOutput, error) {
	out := &describeInstanceAttributeOutput{InstanceID: in.ID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		return s.showAttribute(tx, v, in.Attribute, out)
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

func (s *Service) showAttribute(tx *state.Txn, v region.Instance, attribute string,
	out *describeInstanceAttributeOutput) error {
	d := s.detailsOf(tx, v.ID)
	switch attribute {
	case "instanceType":
		out.Type = shownValue(v.Launch.Type)
	case "userData":
		out.UserData = &userData{v.Launch.UserData}
	case "disableApiTermination":
		out.NoTermination = shownValue(d.NoTermination)
	case "disableApiStop":
		out.NoStop = shownValue(d.NoStop)
	case "instanceInitiatedShutdownBehavior":
		out.Shutdown = shownValue(cmp.Or(d.Shutdown, "stop"))
	case "rootDeviceName":
		out.RootDeviceName = shownValue(d.Root.Device)
	case "sourceDestCheck":
		out.SourceCheck = shownValue(!d.NoSourceCheck)
	case "ebsOptimized":
		out.EBSOptimized = shownValue(d.EBSOptimized == nil || *d.EBSOptimized)
	case "enaSupport":
		out.ENASupport = shownValue(!d.NoENA)
	case "enclaveOptions":
		out.Enclave = &enclave{d.Enclave}
	case "sriovNetSupport":
		out.SRIOV = shownValue("simple")
	case "kernel":
		out.Kernel = &struct{}{}
	case "ramdisk":
		out.Ramdisk = &struct{}{}
	case "productCodes":
		out.ProductCodes = &list[struct{}]{}
	case "groupSet":
		all := list[groupID]{}
		for _, group := range v.Launch.Groups {
			all = append(all, groupID{group})
		}
		out.Groups = &all
	case "blockDeviceMapping":
		all := s.devicesOf(tx, v)
		out.Devices = &all
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", clip(attribute))
	}
	return nil
}

// givenValue is an attribute's new value.
type givenValue[T any] struct {
	Value T `ec2:"Value"`
}

type modifyInstanceAttributeInput struct {
	ID        string `ec2:"InstanceId,required"`
	Attribute string `ec2:"Attribute"`
	Value     string `ec2:"Value"`

	SourceCheck   *givenValue[bool]   `ec2:"SourceDestCheck"`
	NoTermination *givenValue[bool]   `ec2:"DisableApiTermination"`
	NoStop        *givenValue[bool]   `ec2:"DisableApiStop"`
	EBSOptimized  *givenValue[bool]   `ec2:"EbsOptimized"`
	ENASupport    *givenValue[bool]   `ec2:"EnaSupport"`
	Shutdown      *givenValue[string] `ec2:"InstanceInitiatedShutdownBehavior"`
	Type          *givenValue[string] `ec2:"InstanceType"`
	UserData      *givenValue[string] `ec2:"UserData"`
	Groups        []string            `ec2:"GroupId"`
	Devices       []deviceChange      `ec2:"BlockDeviceMapping"`
}

// deviceChange says whether a volume goes with its instance.
type deviceChange struct {
	Name string `ec2:"DeviceName"`
	EBS  struct {
		Deleted *bool  `ec2:"DeleteOnTermination"`
		ID      string `ec2:"VolumeId"`
	} `ec2:"Ebs"`
}

// spelled turns the older form of the call, an attribute's name and its value, into the other one.
func (in *modifyInstanceAttributeInput) spelled() error {
	isTrue := &givenValue[bool]{in.Value == "true" || in.Value == "True"}
	switch in.Attribute {
	case "":
	case "instanceType":
		in.Type = &givenValue[string]{in.Value}
	case "userData":
		in.UserData = &givenValue[string]{in.Value}
	case "instanceInitiatedShutdownBehavior":
		in.Shutdown = &givenValue[string]{in.Value}
	case "disableApiTermination":
		in.NoTermination = isTrue
	case "disableApiStop":
		in.NoStop = isTrue
	case "sourceDestCheck":
		in.SourceCheck = isTrue
	case "ebsOptimized":
		in.EBSOptimized = isTrue
	case "enaSupport":
		in.ENASupport = isTrue
	case "blockDeviceMapping":
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.",
			clip(in.Attribute))
	}
	return nil
}

func (s *Service) modifyInstanceAttribute(call *operation.Call, in *modifyInstanceAttributeInput) (*done, error) {
	if err := in.spelled(); err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		d := s.detailsOf(tx, v.ID)
		if err := s.modifyLaunch(tx, v, in); err != nil {
			return err
		}
		if given := in.SourceCheck; given != nil {
			d.NoSourceCheck = !given.Value
		}
		if given := in.ENASupport; given != nil {
			if err := mustBeStopped(v); err != nil {
				return err
			}
			d.NoENA = !given.Value
		}
		if given := in.NoTermination; given != nil {
			d.NoTermination = given.Value
		}
		if given := in.NoStop; given != nil {
			d.NoStop = given.Value
		}
		if given := in.EBSOptimized; given != nil {
			d.EBSOptimized = &given.Value
		}
		if given := in.Shutdown; given != nil {
			if given.Value != "stop" && given.Value != "terminate" {
				return refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid. "+
					"It must be stop or terminate.", clip(given.Value))
			}
			d.Shutdown = given.Value
		}
		if err := d.modifyDisks(tx, v, in.Devices); err != nil {
			return err
		}
		s.keepDetails(tx, v.ID, d)
		return nil
	})
}

// modifyLaunch changes an instance's type and user data, for which it has to be stopped, and its security groups.
func (s *Service) modifyLaunch(tx *state.Txn, v region.Instance, in *modifyInstanceAttributeInput) error {
	if given := in.Type; given != nil {
		if CheckInstanceTypes([]string{given.Value}) != nil {
			return refuse("InvalidInstanceAttributeValue", "The instanceType '%s' is not valid.", clip(given.Value))
		}
		if err := mustBeStopped(v); err != nil {
			return err
		}
		region.ChangeLaunch(tx, v.ID, func(l *region.InstanceLaunch) { l.Type = given.Value })
	}
	if given := in.UserData; given != nil {
		if err := mustBeStopped(v); err != nil {
			return err
		}
		if script, err := base64.StdEncoding.DecodeString(given.Value); err != nil || len(script) > maxUserData {
			return refuse("InvalidParameterValue", "Invalid BASE64 encoding of user data, or more than %d bytes.", maxUserData)
		}
		region.ChangeLaunch(tx, v.ID, func(l *region.InstanceLaunch) { l.UserData = given.Value })
	}
	if len(in.Groups) > 0 {
		home, err := subnets.get(s, tx, v.SubnetID)
		if err != nil {
			return err
		}
		ids, err := s.launchGroups(tx, home, templateData{Groups: in.Groups}, interfaceOf{})
		if err != nil {
			return err
		}
		region.ChangeLaunch(tx, v.ID, func(l *region.InstanceLaunch) { l.Groups = ids })
	}
	return nil
}

func mustBeStopped(v region.Instance) error {
	if v.State == region.InstanceStopped {
		return nil
	}
	return refuse("IncorrectInstanceState", "The instance '%s' is not in the 'stopped' state.", v.ID)
}

// modifyDisks says of volumes whether they go with their instance: of those that it was launched with in the details, of
// others in their records.
func (d *instanceDetails) modifyDisks(tx *state.Txn, v region.Instance, changes []deviceChange) error {
	d.Disks = slices.Clone(d.Disks)
	for _, given := range changes {
		to := &d.Root
		if given.Name != d.Root.Device && given.EBS.ID != v.VolumeID {
			at := slices.IndexFunc(d.Disks, func(v instanceDisk) bool { return v.Device == given.Name })
			if at < 0 && modifyAttachment(tx, v.ID, given) {
				continue
			}
			if at < 0 {
				return refuse("InvalidInstanceAttributeValue", "No device is currently mapped at %s", clip(given.Name))
			}
			to = &d.Disks[at]
		}
		if given.EBS.Deleted != nil {
			to.Keeps = !*given.EBS.Deleted
		}
	}
	return nil
}

// modifyAttachment is modifyDisks for a volume that a call attached; false: there is none at that device.
func modifyAttachment(tx *state.Txn, instanceID string, given deviceChange) bool {
	for _, v := range region.VolumesByInstance.Of(instanceID).List(tx) {
		a, _ := v.AttachedTo(instanceID)
		if a.Device != given.Name {
			continue
		}
		if given.EBS.Deleted != nil {
			region.ChangeVolume(tx, v.ID, func(v *region.Volume) {
				v.Attachments = slices.Clone(v.Attachments)
				at := slices.IndexFunc(v.Attachments, func(a region.VolumeAttachment) bool { return a.InstanceID == instanceID })
				v.Attachments[at].Deletes = *given.EBS.Deleted
			})
		}
		return true
	}
	return false
}

type resetInstanceAttributeInput struct {
	ID        string `ec2:"InstanceId,required"`
	Attribute string `ec2:"Attribute,required"`
}

// resetInstanceAttribute gives an attribute back the value that it has by default: kernel, ramdisk or sourceDestCheck.
func (s *Service) resetInstanceAttribute(call *operation.Call, in *resetInstanceAttributeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "kernel", "ramdisk":
		case "sourceDestCheck":
			d := s.detailsOf(tx, v.ID)
			d.NoSourceCheck = false
			s.keepDetails(tx, v.ID, d)
		default:
			return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Attributes that can be reset "+
				"are kernel, ramdisk and sourceDestCheck.", clip(in.Attribute))
		}
		return nil
	})
}

type modifyMetadataInput struct {
	ID string `ec2:"InstanceId,required"`
	metadataOptions
}

type modifyMetadataOutput struct {
	InstanceID string           `xml:"instanceId"`
	Options    instanceMetadata `xml:"instanceMetadataOptions"`
}

func (s *Service) modifyMetadata(call *operation.Call, in *modifyMetadataInput) (*modifyMetadataOutput, error) {
	if err := in.metadataOptions.check(); err != nil {
		return nil, err
	}
	out := &modifyMetadataOutput{InstanceID: in.ID}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		d, given := s.detailsOf(tx, v.ID), in.metadataOptions
		o := &d.Metadata
		o.Tokens, o.Endpoint = cmp.Or(given.Tokens, o.Tokens), cmp.Or(given.Endpoint, o.Endpoint)
		o.IPv6, o.InstanceTags = cmp.Or(given.IPv6, o.IPv6), cmp.Or(given.InstanceTags, o.InstanceTags)
		o.HopLimit = cmp.Or(given.HopLimit, o.HopLimit)
		s.keepDetails(tx, v.ID, d)
		out.Options = o.shown()
		out.Options.State = "pending"
		return nil
	})
}

type describeCreditsInput struct {
	IDs        []string `ec2:"InstanceId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type instanceCredits struct {
	InstanceID string `xml:"instanceId"`
	Credits    string `xml:"cpuCredits"`
}

type describeCreditsOutput struct {
	Credits   list[instanceCredits] `xml:"instanceCreditSpecificationSet"`
	NextToken string                `xml:"nextToken,omitempty"`
}

// credits are those of instances whose type is burstable; the others have none, and EC2 does not list them.
var credits = &kind[instanceCredits]{
	prefix: instances.prefix, noun: instances.noun, code: instances.code,
	id: func(v instanceCredits) string { return v.InstanceID },
	computed: func(s *Service, tx *state.Txn) (all []instanceCredits) {
		for _, v := range region.Instances.List(tx) {
			if burstable(v.Launch.Type) && v.State.Alive() {
				all = append(all, s.creditsOf(tx, v))
			}
		}
		return all
	},
	find: eachFound(func(s *Service, tx *state.Txn, id string) (instanceCredits, bool) {
		v, found := region.Instances.Get(tx, id)
		return s.creditsOf(tx, v), found
	}),
}

// creditsOf are an instance's: T2 is standard by default, as everything that has none is shown, the others unlimited.
func (s *Service) creditsOf(tx *state.Txn, v region.Instance) instanceCredits {
	usual := "standard"
	if t, _ := instancetypes.Find(v.Launch.Type); t.Has(instancetypes.Burstable) && t.Family() != "t2" {
		usual = "unlimited"
	}
	return instanceCredits{v.ID, cmp.Or(s.detailsOf(tx, v.ID).Credits, usual)}
}

func (s *Service) describeCredits(call *operation.Call, in *describeCreditsInput) (*describeCreditsOutput, error) {
	found, next, err := describe(s, call, credits, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *instanceCredits) {})
	return &describeCreditsOutput{found, next}, err
}

type modifyCreditsInput struct {
	Token   string `ec2:"ClientToken"`
	Credits []struct {
		ID      string `ec2:"InstanceId,required"`
		Credits string `ec2:"CpuCredits"`
	} `ec2:"InstanceCreditSpecification,required"`
}

type changedCredits struct {
	ID    string        `xml:"instanceId"`
	Error *versionError `xml:"error"`
}

type modifyCreditsOutput struct {
	Done   list[changedCredits] `xml:"successfulInstanceCreditSpecificationSet"`
	Failed list[changedCredits] `xml:"unsuccessfulInstanceCreditSpecificationSet"`
}

func (s *Service) modifyCredits(call *operation.Call, in *modifyCreditsInput) (*modifyCreditsOutput, error) {
	out := &modifyCreditsOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		*out = modifyCreditsOutput{}
		for _, given := range in.Credits {
			v, err := s.instanceRecord(tx, given.ID)
			switch {
			case err != nil:
				out.Failed = append(out.Failed, changedCredits{given.ID, &versionError{"InvalidInstanceID.NotFound", Words(err)}})
			case !burstable(v.Launch.Type):
				out.Failed = append(out.Failed, changedCredits{given.ID, &versionError{"InstanceCreditSpecification.NotSupported",
					"The instance " + v.ID + " does not support CPU credits: its type is " + v.Launch.Type + "."}})
			case given.Credits != "standard" && given.Credits != "unlimited":
				return refuse("InvalidParameterValue", "Value (%s) for parameter cpuCredits is invalid. It must be standard or "+
					"unlimited.", clip(given.Credits))
			default:
				d := s.detailsOf(tx, v.ID)
				d.Credits = given.Credits
				s.keepDetails(tx, v.ID, d)
				out.Done = append(out.Done, changedCredits{ID: given.ID})
			}
		}
		return nil
	})
}
