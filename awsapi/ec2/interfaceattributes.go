package ec2

import (
	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

type describeInterfaceAttributeInput struct {
	ID        string `ec2:"NetworkInterfaceId,required"`
	Attribute string `ec2:"Attribute"`
}

type describeInterfaceAttributeOutput struct {
	InterfaceID string              `xml:"networkInterfaceId"`
	Description *valueOf[string]    `xml:"description"`
	Groups      *list[groupName]    `xml:"groupSet"`
	SourceCheck *valueOf[bool]      `xml:"sourceDestCheck"`
	Attachment  interfaceAttachment `xml:"attachment"`
	Public      *bool               `xml:"associatePublicIpAddress"`
}

func (s *Service) describeInterfaceAttribute(call *operation.Call, in *describeInterfaceAttributeInput) (
	*describeInterfaceAttributeOutput, error) {
	out := &describeInterfaceAttributeOutput{InterfaceID: in.ID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := interfaces.get(s, tx, in.ID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "description":
			out.Description = shownValue(v.Description)
		case "groupSet":
			all := append(list[groupName]{}, v.Groups...)
			out.Groups = &all
		case "sourceDestCheck":
			out.SourceCheck = shownValue(v.SourceDestCheck)
		case "attachment":
			out.Attachment = v.Attachment
		case "associatePublicIpAddress":
			public := v.Association != nil && v.Association.AllocationID == ""
			out.Public = &public
		case "":
			return refuse("InvalidParameterCombination", "No attributes specified.")
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

type modifyInterfaceAttributeInput struct {
	ID          string              `ec2:"NetworkInterfaceId,required"`
	Description *givenValue[string] `ec2:"Description"`
	SourceCheck *givenValue[bool]   `ec2:"SourceDestCheck"`
	Groups      []string            `ec2:"SecurityGroupId"`
	Attachment  *struct {
		ID      string `ec2:"AttachmentId"`
		Deletes *bool  `ec2:"DeleteOnTermination"`
	} `ec2:"Attachment"`
}

// modifyInterfaceAttribute changes what is said of an interface. What a primary one has of it its instance has.
func (s *Service) modifyInterfaceAttribute(call *operation.Call, in *modifyInterfaceAttributeInput) (*done, error) {
	if in.Description == nil && in.SourceCheck == nil && len(in.Groups) == 0 && in.Attachment == nil {
		return nil, refuse("InvalidParameterCombination", "No attributes specified.")
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.interfaceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		if len(in.Groups) > 0 {
			home, err := subnets.get(s, tx, v.SubnetID)
			if err != nil {
				return err
			}
			if in.Groups, err = s.launchGroups(tx, home, templateData{Groups: in.Groups}, interfaceOf{}); err != nil {
				return err
			}
		}
		if a := in.Attachment; a != nil && (v.Attachment == nil || a.ID != v.Attachment.ID) {
			return refuse("InvalidAttachmentID.NotFound", "The interface attachment ID '%s' does not exist", clip(a.ID))
		}
		if v.Primary() {
			s.modifyPrimary(tx, v, in)
			return nil
		}
		if in.Description != nil {
			v.Description = in.Description.Value
		}
		if in.SourceCheck != nil {
			v.NoSourceCheck = !in.SourceCheck.Value
		}
		if len(in.Groups) > 0 {
			v.Groups = in.Groups
		}
		if a := in.Attachment; a != nil && a.Deletes != nil {
			changed := *v.Attachment
			changed.Deletes = *a.Deletes
			v.Attachment = &changed
		}
		region.ChangeInterface(tx, v)
		return nil
	})
}

func (s *Service) modifyPrimary(tx *state.Txn, v region.NetworkInterface, in *modifyInterfaceAttributeInput) {
	instanceID := v.Attachment.InstanceID
	d := s.detailsOf(tx, instanceID)
	if in.Description != nil {
		d.Interface = in.Description.Value
	}
	if in.SourceCheck != nil {
		d.NoSourceCheck = !in.SourceCheck.Value
	}
	if a := in.Attachment; a != nil && a.Deletes != nil {
		d.KeepsInterface = !*a.Deletes
	}
	s.keepDetails(tx, instanceID, d)
	if len(in.Groups) > 0 {
		region.ChangeLaunch(tx, instanceID, func(l *region.InstanceLaunch) { l.Groups = in.Groups })
	}
}

type resetInterfaceAttributeInput struct {
	ID          string  `ec2:"NetworkInterfaceId,required"`
	SourceCheck *string `ec2:"SourceDestCheck"`
}

// resetInterfaceAttribute gives sourceDestCheck, the only attribute that has one, its value of before back.
func (s *Service) resetInterfaceAttribute(call *operation.Call, in *resetInterfaceAttributeInput) (*done, error) {
	if in.SourceCheck == nil {
		return nil, refuse("InvalidParameterCombination", "No attributes specified.")
	}
	return s.modifyInterfaceAttribute(call,
		&modifyInterfaceAttributeInput{ID: in.ID, SourceCheck: &givenValue[bool]{Value: true}})
}
