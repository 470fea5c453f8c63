package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// templateNamed is a launch template and a version of it, as a launch names them.
type templateNamed struct {
	ID      string `ec2:"LaunchTemplateId" xml:"launchTemplateId,omitempty"`
	Name    string `ec2:"LaunchTemplateName" xml:"launchTemplateName,omitempty"`
	Version string `ec2:"Version" xml:"version,omitempty"`
}

func (t templateNamed) ref() region.TemplateRef {
	return region.TemplateRef{ID: t.ID, Name: t.Name, Version: t.Version}
}

// check refuses what names a template twice, or a version of none.
func (t templateNamed) check() error {
	switch {
	case t.ID != "" && t.Name != "":
		return refuse("InvalidParameterCombination", "You must specify either a launch template ID or a launch template name, "+
			"but not both.")
	case t.ID == "" && t.Name == "" && t.Version != "":
		return refuse("MissingParameter", "The request must contain the parameter launch template ID or launch template name")
	}
	return nil
}

type runInstancesInput struct {
	templateData
	Min      int           `ec2:"MinCount,required"`
	Max      int           `ec2:"MaxCount,required"`
	SubnetID string        `ec2:"SubnetId"`
	Address  string        `ec2:"PrivateIpAddress"`
	Token    string        `ec2:"ClientToken"`
	Template templateNamed `ec2:"LaunchTemplate"`
}

// launchAnswer is what RunInstances answers: a reservation.
type launchAnswer struct{ reservation }

// launchToken is what a ClientToken was used for, by the token.
type launchToken struct {
	Request   string   `json:"request"` // a digest of its parameters
	Instances []string `json:"instances"`
}

var launchTokens = state.NewTable[launchToken]("ec2-launch-token")

// check finds what EC2 refuses in a call of RunInstances before it looks at what is there.
func (in *runInstancesInput) check() error {
	switch {
	case in.Min < 1:
		return refuse("InvalidParameterValue", "Value (%d) for parameter minCount is invalid. The minimum count must be at least 1.", in.Min)
	case in.Max < in.Min:
		return refuse("InvalidParameterValue", "Value (%d) for parameter maxCount is invalid. The maximum count must not be "+
			"below the minimum count.", in.Max)
	case in.Max > maxLaunch:
		return refuse("InstanceLimitExceeded", "You have requested more instances (%d) than your current instance limit of %d "+
			"allows for the specified instance type.", in.Max, maxLaunch)
	case len(in.Token) > 64:
		return refuse("InvalidParameterValue", "ClientToken must be at most 64 characters.")
	case len(in.Interfaces) > 0 && in.SubnetID != "":
		return refuse("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID may not be specified on "+
			"the same request")
	case len(in.Interfaces) > 0 && len(in.Groups)+len(in.GroupNames) > 0:
		return refuse("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be "+
			"specified on the same request")
	case len(in.Interfaces) > 0 && in.Address != "":
		return refuse("InvalidParameterCombination", "Network interfaces and an instance-level private address may not be "+
			"specified on the same request")
	}
	for _, device := range in.Devices {
		if device.Name == "" {
			return refuse("MissingParameter", "The request must contain the parameter deviceName")
		}
	}
	return in.Template.check()
}

// maxLaunch is how many instances one call launches: more than that are a mistake here.
const maxLaunch = 1000

// request is the launch that a call asks for.
func (in *runInstancesInput) request() (LaunchRequest, error) {
	want := LaunchRequest{Template: in.Template.ref(), SubnetID: in.SubnetID, Count: in.Max, Least: in.Min,
		ClientToken: in.Token, data: in.templateData, address: in.Address}
	var err error
	want.tagged, err = tagsGiven(in.Specifications)
	return want, err
}

// tagsGiven are the tags that a launch gives, by the type of the resource.
func tagsGiven(specifications []instanceTags) (map[string][]tag, error) {
	given := map[string][]tag{}
	for _, specification := range specifications {
		kind := specification.ResourceType
		if err := launchTaggable(kind); err != nil {
			return nil, err
		}
		merged, err := mergeTags(given[kind], specification.Tags, false)
		if err != nil {
			return nil, err
		}
		given[kind] = merged
	}
	return given, nil
}

func (s *Service) runInstances(call *operation.Call, in *runInstancesInput) (*launchAnswer, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	want, err := in.request()
	if err != nil {
		return nil, err
	}
	asked, out := digestOf(in), &launchAnswer{}
	return change(s, call, out, func(tx *state.Txn) error {
		var made []region.Instance
		earlier, used := launchTokens.Get(tx, in.Token)
		switch {
		case used && earlier.Request != asked:
			return refuse("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments "+
				"used in previous request(s).")
		case used:
			for _, instanceID := range earlier.Instances {
				if v, found := region.Instances.Get(tx, instanceID); found {
					made = append(made, v)
				}
			}
		default:
			if made, err = s.Launch(tx, want, s.now()); err != nil {
				return err
			}
			if in.Token != "" {
				launchTokens.Put(tx, in.Token, launchToken{asked, instanceIDs(made)})
			}
		}
		s.answerLaunch(tx, made, &out.reservation)
		return nil
	})
}

// answerLaunch shows a launch as a reservation.
func (s *Service) answerLaunch(tx *state.Txn, made []region.Instance, out *reservation) {
	*out = reservation{}
	for _, v := range s.shownInstances(tx, made) {
		if out.ReservationID == "" {
			*out = s.reservationOf(v)
		}
		v.Tags = s.tagsOf(tx, v.InstanceID)
		out.Instances = append(out.Instances, v)
	}
}

func instanceIDs(all []region.Instance) []string {
	return each(all, func(v region.Instance) string { return v.ID })
}

// digestOf tells inputs apart.
func digestOf(in any) string {
	text, _ := json.Marshal(in) // inputs are plain values
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
