package ec2

import (
	"cmp"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// profileAssociation is an instance's association with its instance profile: it follows from the instance.
type profileAssociation struct {
	AssociationID string           `xml:"associationId"`
	InstanceID    string           `xml:"instanceId"`
	Profile       *assignedProfile `xml:"iamInstanceProfile"`
	State         string           `xml:"state"`
	At            string           `xml:"timestamp"`
}

var profileAssociations = &kind[profileAssociation]{
	prefix: "iip-assoc", noun: "association-id", code: "InvalidAssociationID",
	absent: "An invalid association-id of '%s' was given",
	id:     func(v profileAssociation) string { return v.AssociationID },
	computed: func(s *Service, tx *state.Txn) (all []profileAssociation) {
		for _, v := range region.Instances.List(tx) {
			if v.Launch.Profile != "" && v.State.Alive() {
				all = append(all, s.profileAssociation(tx, v))
			}
		}
		return all
	},
}

func (s *Service) profileAssociation(tx *state.Txn, v region.Instance) profileAssociation {
	d := s.detailsOf(tx, v.ID)
	return profileAssociation{AssociationID: cmp.Or(d.ProfileID, id("iip-assoc", v.ID)), InstanceID: v.ID,
		Profile: profileOf(tx, v.Launch.Profile), State: "associated", At: cmp.Or(d.ProfileAt, timestamp(v.Launched))}
}

type describeAssociationsInput struct {
	IDs        []string `ec2:"AssociationId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeAssociationsOutput struct {
	Associations list[profileAssociation] `xml:"iamInstanceProfileAssociationSet"`
	NextToken    string                   `xml:"nextToken,omitempty"`
}

func (s *Service) describeProfileAssociations(call *operation.Call,
	in *describeAssociationsInput) (*describeAssociationsOutput, error) {
	found, next, err := describe(s, call, profileAssociations, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *profileAssociation) {})
	return &describeAssociationsOutput{found, next}, err
}

type associateProfileInput struct {
	ID      string          `ec2:"InstanceId,required"`
	Profile instanceProfile `ec2:"IamInstanceProfile,required"`
}

type replaceProfileInput struct {
	AssociationID string          `ec2:"AssociationId,required"`
	Profile       instanceProfile `ec2:"IamInstanceProfile,required"`
}

type disassociateProfileInput struct {
	AssociationID string `ec2:"AssociationId,required"`
}

type profileAssociationOutput struct {
	Association profileAssociation `xml:"iamInstanceProfileAssociation"`
}

func (s *Service) associateProfile(call *operation.Call, in *associateProfileInput) (*profileAssociationOutput, error) {
	out := &profileAssociationOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		switch {
		case err != nil:
			return err
		case !v.State.Alive():
			return cannot(v, "associated with an instance profile")
		case v.Launch.Profile != "":
			return refuse("IncorrectState", "There is an existing association for instance %s", v.ID)
		}
		return s.giveProfile(tx, v, in.Profile, out)
	})
}

func (s *Service) replaceProfile(call *operation.Call, in *replaceProfileInput) (*profileAssociationOutput, error) {
	out := &profileAssociationOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		a, err := profileAssociations.get(s, tx, in.AssociationID)
		if err != nil {
			return err
		}
		v, _ := region.Instances.Get(tx, a.InstanceID)
		return s.giveProfile(tx, v, in.Profile, out)
	})
}

// giveProfile gives an instance a profile, by a new association.
func (s *Service) giveProfile(tx *state.Txn, v region.Instance, given instanceProfile, out *profileAssociationOutput) error {
	name, err := profileNamed(tx, &given)
	if err != nil {
		return err
	}
	region.ChangeLaunch(tx, v.ID, func(l *region.InstanceLaunch) { l.Profile = name })
	d := s.detailsOf(tx, v.ID)
	d.ProfileID, d.ProfileAt = newID("iip-assoc"), timestamp(s.now())
	s.keepDetails(tx, v.ID, d)
	v.Launch.Profile = name
	out.Association = s.profileAssociation(tx, v)
	out.Association.State = "associating"
	return nil
}

func (s *Service) disassociateProfile(call *operation.Call, in *disassociateProfileInput) (*profileAssociationOutput, error) {
	out := &profileAssociationOutput{}
	return change(s, call, out, func(tx *state.Txn) (err error) {
		if out.Association, err = profileAssociations.get(s, tx, in.AssociationID); err != nil {
			return err
		}
		out.Association.State = "disassociating"
		region.ChangeLaunch(tx, out.Association.InstanceID, func(l *region.InstanceLaunch) { l.Profile = "" })
		return nil
	})
}
