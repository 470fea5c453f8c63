package ec2

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/nodes/image"
	"tripod/state"
)

// machineImage is an image as EC2 shows it.
type machineImage struct {
	ImageID        string            `xml:"imageId"`
	Location       string            `xml:"imageLocation"` // owner or its alias, and name
	State          string            `xml:"imageState"`
	OwnerID        string            `xml:"imageOwnerId"`
	OwnerAlias     string            `xml:"imageOwnerAlias,omitempty"` // amazon
	Created        string            `xml:"creationDate"`
	Deprecated     string            `xml:"deprecationTime,omitempty"`
	Public         bool              `xml:"isPublic"`
	Architecture   string            `xml:"architecture"`
	Type           string            `xml:"imageType"`
	Platform       string            `xml:"platform,omitempty"` // windows
	Details        string            `xml:"platformDetails"`
	UsageOperation string            `xml:"usageOperation"`
	Name           string            `xml:"name"`
	Description    string            `xml:"description,omitempty"`
	RootDeviceType string            `xml:"rootDeviceType"`
	RootDevice     string            `xml:"rootDeviceName"`
	Devices        list[imageDevice] `xml:"blockDeviceMapping"`
	Virtualization string            `xml:"virtualizationType"`
	Hypervisor     string            `xml:"hypervisor"`
	ENA            bool              `xml:"enaSupport"`
	SRIOV          string            `xml:"sriovNetSupport,omitempty"`
	BootMode       string            `xml:"bootMode,omitempty"`
	IMDS           string            `xml:"imdsSupport,omitempty"` // v2.0: instances require session tokens
	SourceImage    string            `xml:"sourceImageId,omitempty"`
	SourceRegion   string            `xml:"sourceImageRegion,omitempty"`
	SourceInstance string            `xml:"sourceInstanceId,omitempty"`
	StateReason    *imageStateReason `xml:"stateReason"`
	Tags           list[tag]         `xml:"tagSet" json:"-"`
}

type imageDevice struct {
	Device string    `xml:"deviceName"`
	EBS    *imageEBS `xml:"ebs"`
}

type imageEBS struct {
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
	Encrypted           bool   `xml:"encrypted"`
	SnapshotID          string `xml:"snapshotId,omitempty"`
	GiB                 int    `xml:"volumeSize"`
	Type                string `xml:"volumeType"`
	IOPS                int    `xml:"iops,omitempty"`
	Throughput          int    `xml:"throughput,omitempty"`
}

type imageStateReason struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

// images are Amazon's, of package image, and those that calls made.
var images = &kind[machineImage]{
	prefix: "ami", noun: "image id", code: "InvalidAMIID", absent: "The image id '[%s]' does not exist",
	table: userImages,
	computed: func(*Service, *state.Txn) []machineImage {
		all := image.All()
		shown := make([]machineImage, len(all))
		for i := range all {
			shown[i] = amazonImage(all[i])
		}
		return shown
	},
	find: eachFound(func(_ *Service, tx *state.Txn, id string) (machineImage, bool) { return findImage(tx, id) }),
	id:   func(v machineImage) string { return v.ImageID },
}

// amazonImage shows an image of Amazon's. It is deprecated after two years, as EC2 does with all public ones.
func amazonImage(i image.Image) machineImage {
	m := machineImage{
		ImageID: i.ID, Location: "amazon/" + i.Name, State: "available", OwnerID: i.Owner, OwnerAlias: "amazon",
		Created: timestamp(i.Created), Deprecated: timestamp(i.Created.AddDate(2, 0, 0)), Public: true,
		Architecture: i.Architecture, Type: "machine", Details: "Linux/UNIX", UsageOperation: "RunInstances",
		Name: i.Name, Description: i.Description, RootDeviceType: "ebs", RootDevice: i.RootDevice, Virtualization: "hvm",
		Hypervisor: "xen", ENA: true, SRIOV: "simple", BootMode: "uefi-preferred", IMDS: "v2.0",
	}
	if i.Architecture == image.ARM {
		m.BootMode = "uefi"
	}
	if i.Windows() {
		m.Platform, m.Details, m.UsageOperation, m.IMDS = "windows", "Windows", "RunInstances:0002", ""
	}
	for _, v := range i.Volumes {
		m.Devices = append(m.Devices, imageDevice{v.Device, &imageEBS{DeleteOnTermination: true, SnapshotID: v.SnapshotID,
			GiB: v.GiB, Type: v.Type}})
		if v.Type == "gp3" {
			m.Devices[len(m.Devices)-1].EBS.IOPS, m.Devices[len(m.Devices)-1].EBS.Throughput = 3000, 125
		}
	}
	return m
}

type describeImagesInput struct {
	IDs               []string `ec2:"ImageId"`
	Owners            []string `ec2:"Owner"`
	ExecutableBy      []string `ec2:"ExecutableBy"`
	Filters           []filter `ec2:"Filter"`
	IncludeDeprecated bool     `ec2:"IncludeDeprecated"`
	IncludeDisabled   bool     `ec2:"IncludeDisabled"`
	MaxResults        *int     `ec2:"MaxResults"`
	NextToken         string   `ec2:"NextToken"`
}

type describeImagesOutput struct {
	Images    list[machineImage] `xml:"imagesSet"`
	NextToken string             `xml:"nextToken,omitempty"`
}

func (s *Service) describeImages(call *operation.Call, in *describeImagesInput) (*describeImagesOutput, error) {
	out := &describeImagesOutput{}
	for _, id := range in.IDs {
		if err := images.check(id); err != nil {
			return nil, err
		}
	}
	err := s.State.View(func(tx *state.Txn) error {
		all := images.all(s, tx)
		for _, id := range in.IDs {
			if !slices.ContainsFunc(all, func(i machineImage) bool { return i.ImageID == id }) {
				return images.notFound(id)
			}
		}
		all = slices.DeleteFunc(all, func(i machineImage) bool { return !s.isAsked(in, i) })
		for i := range all {
			all[i].Tags = s.tagsOf(tx, all[i].ImageID)
		}
		all, err := matching(call.Operation, all, in.Filters, func(i machineImage) []tag { return i.Tags })
		if err != nil {
			return err
		}
		out.Images, out.NextToken, err = cut(call.Operation, all, page{in.Filters, in.MaxResults, in.NextToken}, in.IDs, images.id)
		return err
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

// isAsked says whether an image is one of those that a call names by id, owner or who may launch it. EC2 leaves deprecated
// images of others out; Amazon's stay here, as no newer ones come.
func (s *Service) isAsked(in *describeImagesInput, i machineImage) bool {
	owned := func(owner string) bool {
		return owner == i.OwnerID || owner == i.OwnerAlias || owner == "self" && i.OwnerID == s.VPC.AccountID
	}
	executable := func(by string) bool { // none has permissions for one account
		return by == "all" && i.Public
	}
	switch {
	case len(in.IDs) > 0 && !slices.Contains(in.IDs, i.ImageID),
		len(in.Owners) > 0 && !slices.ContainsFunc(in.Owners, owned),
		len(in.ExecutableBy) > 0 && !slices.ContainsFunc(in.ExecutableBy, executable),
		i.State == "disabled" && !in.IncludeDisabled && len(in.IDs) == 0:
		return false
	}
	return true
}
