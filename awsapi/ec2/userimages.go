package ec2

import (
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/nodes/image"
	"tripod/state"
)

// userImages are the images that calls made, by their ids. They are recorded: what boots of one is what boots of the
// image of Amazon's that it comes from.
var userImages = state.NewTable[entry[machineImage]]("ec2-image")

// imagePermission says who else may launch instances of an image, by its id. It is recorded only: there is one account.
type imagePermission struct {
	Accounts []string `json:"accounts,omitempty"`
	All      bool     `json:"all,omitempty"`
}

var imagePermissions = state.NewTable[imagePermission]("ec2-image-permission")

// findImage is the image with that id, of Amazon's or of the account's own.
func findImage(tx *state.Txn, id string) (machineImage, bool) {
	if found, is := image.Find(id); is {
		return amazonImage(found), true
	}
	e, found := userImages.Get(tx, id)
	return e.Value, found
}

// SourceImage is the image of Amazon's that an image comes from, by whichever ways; empty where it comes from none.
func (s *Service) SourceImage(tx *state.Txn, imageID string) string {
	for range 100 { // copies of copies
		if _, is := image.Find(imageID); is {
			return imageID
		}
		e, found := userImages.Get(tx, imageID)
		if !found || e.Value.SourceImage == "" {
			return ""
		}
		imageID = e.Value.SourceImage
	}
	return ""
}

// imageName is how AWS wants images to be called.
var imageName = regexp.MustCompile(`^[a-zA-Z0-9()\[\]. /\-'@_]{3,128}$`)

// newImage makes an image of the account's own, with what the call says of it.
func (s *Service) newImage(tx *state.Txn, name, description string, of machineImage) (machineImage, error) {
	if !imageName.MatchString(name) {
		return of, refuse("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain "+
			"letters, numbers, '(', ')', '.', '-', '/' and '_'")
	}
	for _, e := range userImages.List(tx) {
		if e.Value.Name == name {
			return of, refuse("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", name, e.Value.ImageID)
		}
	}
	of.ImageID, of.Name, of.Description, of.Location = newID("ami"), name, description, s.VPC.AccountID+"/"+name
	of.OwnerID, of.OwnerAlias, of.State, of.Public, of.Created, of.Deprecated = s.VPC.AccountID, "", "available", false,
		timestamp(s.now()), ""
	of.Devices = slices.Clone(of.Devices)
	for i, d := range of.Devices {
		if d.EBS != nil {
			own := *d.EBS
			own.SnapshotID = newID("snap")
			of.Devices[i].EBS = &own
		}
	}
	return of, nil
}

func (s *Service) keepImage(tx *state.Txn, v machineImage, given []tag) {
	userImages.Put(tx, v.ImageID, entry[machineImage]{Value: v})
	tags.Put(tx, v.ImageID, given)
}

// imageTags are the tags that a call gives to an image; those of its snapshots are not kept: there is no more of them
// than their ids.
func imageTags(specifications []tagSpecification) ([]tag, error) {
	return newTags(slices.DeleteFunc(slices.Clone(specifications),
		func(t tagSpecification) bool { return t.ResourceType == "snapshot" }), "image")
}

type imageIDOutput struct {
	ImageID string `xml:"imageId"`
}

type createImageInput struct {
	InstanceID     string             `ec2:"InstanceId,required"`
	Name           string             `ec2:"Name,required"`
	Description    string             `ec2:"Description"`
	NoReboot       bool               `ec2:"NoReboot"`
	Devices        []blockDevice      `ec2:"BlockDeviceMapping"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

func (s *Service) createImage(call *operation.Call, in *createImageInput) (*imageIDOutput, error) {
	given, err := imageTags(in.Specifications)
	if err != nil {
		return nil, err
	}
	out := &imageIDOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.InstanceID)
		switch {
		case err != nil:
			return err
		case !v.State.Alive():
			return cannot(v, "imaged")
		}
		d := s.detailsOf(tx, v.ID)
		if err := d.fillDisks(in.Devices, launchImage{root: d.Root, disks: d.Disks}); err != nil {
			return err
		}
		of, found := findImage(tx, v.Launch.ImageID)
		if !found {
			of = machineImage{Architecture: architectureOf(v.Launch.Type), Type: "machine", Details: "Linux/UNIX",
				UsageOperation: "RunInstances", RootDeviceType: "ebs", Virtualization: "hvm", Hypervisor: "xen", ENA: true}
		}
		of.RootDevice, of.Devices, of.SourceInstance, of.SourceImage = d.Root.Device, nil, v.ID, v.Launch.ImageID
		of.SourceRegion = s.VPC.Region
		for _, disk := range append([]instanceDisk{d.Root}, d.Disks...) {
			of.Devices = append(of.Devices, imageDevice{disk.Device, &imageEBS{DeleteOnTermination: !disk.Keeps,
				Encrypted: disk.Encrypted, GiB: disk.GiB, Type: disk.Type, IOPS: disk.IOPS, Throughput: disk.Throughput}})
		}
		made, err := s.newImage(tx, in.Name, in.Description, of)
		if err != nil {
			return err
		}
		s.keepImage(tx, made, given)
		out.ImageID = made.ImageID
		return nil
	})
}

type copyImageInput struct {
	Name           string             `ec2:"Name,required"`
	Description    string             `ec2:"Description"`
	SourceID       string             `ec2:"SourceImageId,required"`
	SourceRegion   string             `ec2:"SourceRegion,required"`
	Encrypted      *bool              `ec2:"Encrypted"`
	Key            string             `ec2:"KmsKeyId"`
	Token          string             `ec2:"ClientToken"`
	CopyTags       bool               `ec2:"CopyImageTags"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

func (s *Service) copyImage(call *operation.Call, in *copyImageInput) (*imageIDOutput, error) {
	if in.SourceRegion != s.VPC.Region {
		return nil, refuse("InvalidRequest", "The region %s is not here: Tripod has one, %s.", clip(in.SourceRegion), s.VPC.Region)
	}
	given, err := imageTags(in.Specifications)
	if err != nil {
		return nil, err
	}
	out := &imageIDOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		source, err := images.get(s, tx, in.SourceID)
		if err != nil {
			return err
		}
		of := source
		of.SourceImage, of.SourceRegion = source.ImageID, in.SourceRegion
		made, err := s.newImage(tx, in.Name, in.Description, of)
		if err != nil {
			return err
		}
		for _, d := range made.Devices {
			if d.EBS != nil && in.Encrypted != nil {
				d.EBS.Encrypted = d.EBS.Encrypted || *in.Encrypted
			}
		}
		own := given
		if in.CopyTags {
			if own, err = mergeTags(s.tagsOf(tx, source.ImageID), given, true); err != nil {
				return err
			}
		}
		s.keepImage(tx, made, own)
		out.ImageID = made.ImageID
		return nil
	})
}

type registerImageInput struct {
	Name           string             `ec2:"Name,required"`
	Description    string             `ec2:"Description"`
	Architecture   string             `ec2:"Architecture"`
	RootDevice     string             `ec2:"RootDeviceName"`
	Virtualization string             `ec2:"VirtualizationType"`
	BootMode       string             `ec2:"BootMode"`
	IMDS           string             `ec2:"ImdsSupport"`
	SRIOV          string             `ec2:"SriovNetSupport"`
	ENA            bool               `ec2:"EnaSupport"`
	Location       string             `ec2:"ImageLocation"`
	Devices        []blockDevice      `ec2:"BlockDeviceMapping"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

func (s *Service) registerImage(call *operation.Call, in *registerImageInput) (*imageIDOutput, error) {
	given, err := imageTags(in.Specifications)
	if err != nil {
		return nil, err
	}
	of := machineImage{Architecture: "i386", Type: "machine", Details: "Linux/UNIX", UsageOperation: "RunInstances",
		RootDeviceType: "ebs", RootDevice: in.RootDevice, Virtualization: "paravirtual", Hypervisor: "xen", ENA: in.ENA,
		BootMode: in.BootMode, IMDS: in.IMDS, SRIOV: in.SRIOV}
	if in.Architecture != "" {
		of.Architecture = in.Architecture
	}
	if in.Virtualization != "" {
		of.Virtualization = in.Virtualization
	}
	for _, d := range in.Devices {
		if d.Disk == nil {
			continue
		}
		disk := instanceDisk{Device: d.Name, Type: "gp2", GiB: 8}
		if err := disk.lay(*d.Disk); err != nil {
			return nil, err
		}
		of.Devices = append(of.Devices, imageDevice{d.Name, &imageEBS{DeleteOnTermination: !disk.Keeps,
			Encrypted: disk.Encrypted, SnapshotID: disk.Snapshot, GiB: disk.GiB, Type: disk.Type, IOPS: disk.IOPS,
			Throughput: disk.Throughput}})
	}
	out := &imageIDOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		made, err := s.newImage(tx, in.Name, in.Description, of)
		if err != nil {
			return err
		}
		s.keepImage(tx, made, given)
		out.ImageID = made.ImageID
		return nil
	})
}

// ownImage is an image of the account's own, which a call may change.
func (s *Service) ownImage(tx *state.Txn, imageID string) (machineImage, error) {
	v, err := images.get(s, tx, imageID)
	if err == nil && v.OwnerID != s.VPC.AccountID {
		return v, refuse("AuthFailure", "Not authorized for image:%s", imageID)
	}
	return v, err
}

type deregisterImageInput struct {
	ImageID   string `ec2:"ImageId,required"`
	Snapshots bool   `ec2:"DeleteAssociatedSnapshots"`
}

func (s *Service) deregisterImage(call *operation.Call, in *deregisterImageInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		if _, err := s.ownImage(tx, in.ImageID); err != nil {
			return err
		}
		userImages.Delete(tx, in.ImageID)
		imagePermissions.Delete(tx, in.ImageID)
		tags.Delete(tx, in.ImageID)
		return nil
	})
}

type describeImageAttributeInput struct {
	ImageID   string `ec2:"ImageId,required"`
	Attribute string `ec2:"Attribute,required"`
}

type launchPermission struct {
	Account string `ec2:"UserId" xml:"userId,omitempty"`
	Group   string `ec2:"Group" xml:"group,omitempty"`
}

type describeImageAttributeOutput struct {
	ImageID     string                  `xml:"imageId"`
	Permissions *list[launchPermission] `xml:"launchPermission"`
	Description *valueOf[string]        `xml:"description"`
	Products    *list[struct{}]         `xml:"productCodes"`
	Devices     *list[imageDevice]      `xml:"blockDeviceMapping"`
	BootMode    *valueOf[string]        `xml:"bootMode"`
	IMDS        *valueOf[string]        `xml:"imdsSupport"`
	SRIOV       *valueOf[string]        `xml:"sriovNetSupport"`
}

func (s *Service) describeImageAttribute(call *operation.Call,
	in *describeImageAttributeInput) (*describeImageAttributeOutput, error) {
	out := &describeImageAttributeOutput{ImageID: in.ImageID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := images.get(s, tx, in.ImageID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "launchPermission":
			all := list[launchPermission]{}
			held, _ := imagePermissions.Get(tx, v.ImageID)
			if held.All || v.Public {
				all = append(all, launchPermission{Group: "all"})
			}
			for _, account := range held.Accounts {
				all = append(all, launchPermission{Account: account})
			}
			out.Permissions = &all
		case "description":
			out.Description = shownValue(v.Description)
		case "productCodes":
			out.Products = &list[struct{}]{}
		case "blockDeviceMapping":
			out.Devices = &v.Devices
		case "bootMode":
			out.BootMode = shownValue(v.BootMode)
		case "imdsSupport":
			out.IMDS = shownValue(v.IMDS)
		case "sriovNetSupport":
			out.SRIOV = shownValue(v.SRIOV)
		default:
			return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", clip(in.Attribute))
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

type modifyImageAttributeInput struct {
	ImageID     string              `ec2:"ImageId,required"`
	Attribute   string              `ec2:"Attribute"`
	Operation   string              `ec2:"OperationType"`
	Value       string              `ec2:"Value"`
	Accounts    []string            `ec2:"UserId"`
	Groups      []string            `ec2:"UserGroup"`
	Description *givenValue[string] `ec2:"Description"`
	IMDS        *givenValue[string] `ec2:"ImdsSupport"`
	Permission  struct {
		Add    []launchPermission `ec2:"Add"`
		Remove []launchPermission `ec2:"Remove"`
	} `ec2:"LaunchPermission"`
}

// spelled turns the older form of the call into the other one.
func (in *modifyImageAttributeInput) spelled() error {
	var named []launchPermission
	for _, account := range in.Accounts {
		named = append(named, launchPermission{Account: account})
	}
	for _, group := range in.Groups {
		named = append(named, launchPermission{Group: group})
	}
	switch {
	case in.Attribute == "description":
		in.Description = &givenValue[string]{in.Value}
	case in.Operation == "add":
		in.Permission.Add = append(in.Permission.Add, named...)
	case in.Operation == "remove":
		in.Permission.Remove = append(in.Permission.Remove, named...)
	}
	for _, one := range slices.Concat(in.Permission.Add, in.Permission.Remove) {
		switch {
		case one.Group != "" && one.Group != "all":
			return refuse("InvalidAMIAttributeItemValue", "Invalid attribute item value \"%s\" for userGroup item type.", clip(one.Group))
		case one.Account != "" && (len(one.Account) != 12 || strings.Trim(one.Account, "0123456789") != ""):
			return refuse("InvalidAMIAttributeItemValue", "Invalid attribute item value \"%s\" for userId item type.", clip(one.Account))
		}
	}
	return nil
}

func (s *Service) modifyImageAttribute(call *operation.Call, in *modifyImageAttributeInput) (*done, error) {
	if err := in.spelled(); err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.ownImage(tx, in.ImageID)
		if err != nil {
			return err
		}
		if in.Description != nil {
			v.Description = in.Description.Value
		}
		if in.IMDS != nil {
			v.IMDS = in.IMDS.Value
		}
		held, _ := imagePermissions.Get(tx, v.ImageID)
		for _, one := range in.Permission.Add {
			if one.Group == "all" {
				held.All = true
			} else if !slices.Contains(held.Accounts, one.Account) {
				held.Accounts = append(held.Accounts, one.Account)
			}
		}
		for _, one := range in.Permission.Remove {
			if one.Group == "all" {
				held.All = false
			}
			held.Accounts = slices.DeleteFunc(held.Accounts, func(account string) bool { return account == one.Account })
		}
		v.Public = held.All
		imagePermissions.Put(tx, v.ImageID, held)
		userImages.Put(tx, v.ImageID, entry[machineImage]{Value: v})
		return nil
	})
}
