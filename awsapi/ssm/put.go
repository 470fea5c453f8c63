package ssm

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/nodes/image"
	"tripod/state"
)

func versionKey(number int64) string { return fmt.Sprintf("%012d", number) }

type tag struct{ Key, Value string }

type putInput struct {
	Name, Value, Type, KeyID, Tier, DataType string
	Description, AllowedPattern, Policies    string
	Overwrite                                bool
	Tags                                     []tag
}

type putOutput struct {
	Version int64
	Tier    string
}

func (s *Service) putParameter(call *operation.Call, in *putInput) (*putOutput, error) {
	in.Name = plainName(in.Name)
	if err := s.may(call, in.Name); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &putOutput{}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		p, exists := parameters.Get(tx, in.Name)
		switch {
		case exists && !in.Overwrite:
			return refuse("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in "+
				"the request to true.")
		case exists && len(in.Tags) > 0:
			return refuse("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with "+
				"tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "+
				"RemoveTagsFromResource.")
		case !exists && in.Type == "":
			return refuse("ValidationException", "A parameter type is required when you create a parameter.")
		case !exists && !parameters.Part("").Fewer(tx, maxParameters):
			return refuse("ParameterLimitExceeded", "You have exceeded the number of parameters for this AWS account: %d.", maxParameters)
		case exists && in.Type != "" && in.Type != p.Type:
			return refuse("HierarchyTypeMismatchException", "The parameter's type is %s and cannot be changed to %s.", p.Type, in.Type)
		}
		p.put(in, s.now(), call.Principal.ARN)
		if err := s.mayUse(tx, call, p, encryptingBy(p.Tier)); err != nil {
			return err
		}
		if len(p.Versions) > maxVersions {
			if len(p.Versions[0].Labels) > 0 {
				return refuse("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API "+
					"with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. "+
					"Move the label to another version of the parameter, and try again.", p.Name, p.Versions[0].Number)
			}
			p.Versions = p.Versions[1:]
		}
		parameters.Put(tx, p.Name, p)
		*out = putOutput{p.newest().Number, p.Tier}
		return nil
	})
}

// check has the refusals that the input alone deserves.
func (in *putInput) check() error {
	if err := checkName(in.Name); err != nil {
		return err
	}
	limit := maxStandardValue
	if in.Tier == advanced || in.Tier == "Intelligent-Tiering" {
		limit = maxAdvancedValue
	}
	switch {
	case in.Value == "":
		return operation.InvalidInput("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have " +
			"length greater than or equal to 1.")
	case !slices.Contains([]string{"", "String", "StringList", secure}, in.Type):
		return operation.InvalidInput("1 validation error detected: Value '" + wire.Clip(in.Type) + "' at 'type' failed to satisfy " +
			"constraint: Member must satisfy enum value set: [SecureString, StringList, String]")
	case !slices.Contains([]string{"", standard, advanced, "Intelligent-Tiering"}, in.Tier):
		return operation.InvalidInput("1 validation error detected: Value '" + wire.Clip(in.Tier) + "' at 'tier' failed to satisfy " +
			"constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]")
	case len(in.Value) > limit && limit == maxStandardValue:
		return refuse("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters. To create "+
			"a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see "+
			"https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	case len(in.Value) > limit:
		return refuse("ValidationException", "Advanced tier parameters support a maximum parameter value of 8192 characters.")
	case !slices.Contains([]string{"", "text", "aws:ec2:image", "aws:ssm:integration"}, in.DataType):
		return refuse("ValidationException", "The following data type is not supported: %s (Data type names are all lowercase.)",
			wire.Clip(in.DataType))
	case in.DataType == "aws:ec2:image" && !isImage(in.Value):
		return refuse("ValidationException", "Parameter value, %s, is not an AMI ID.", wire.Clip(in.Value))
	case in.KeyID != "" && in.Type != secure:
		return refuse("ValidationException", "KeyId is required for SecureString type parameter only.")
	case in.AllowedPattern != "":
		pattern, err := regexp.Compile("^(?:" + in.AllowedPattern + ")$")
		if err != nil {
			return refuse("InvalidAllowedPatternException", "The allowed pattern is not a regular expression.")
		}
		if !pattern.MatchString(in.Value) {
			return refuse("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s",
				wire.Clip(in.AllowedPattern))
		}
	}
	return nil
}

// encryptingBy is the permission that it takes to encrypt a parameter of a tier: the larger ones have a data key.
func encryptingBy(tier string) string {
	if tier == advanced {
		return "GenerateDataKey"
	}
	return "Encrypt"
}

// isImage says whether a value looks like an image's id, of Amazon's or of a user's.
func isImage(value string) bool {
	_, known := image.Find(value)
	return known || regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`).MatchString(value)
}

// put adds a version; what the input leaves out stays.
func (p *Parameter) put(in *putInput, now time.Time, user string) {
	number := int64(1)
	if len(p.Versions) > 0 {
		number = p.newest().Number + 1
	}
	p.Name, p.Type = in.Name, cmp.Or(in.Type, p.Type)
	p.DataType = cmp.Or(in.DataType, p.DataType, "text")
	p.Description, p.Pattern = cmp.Or(in.Description, p.Description), cmp.Or(in.AllowedPattern, p.Pattern)
	p.Policies = cmp.Or(in.Policies, p.Policies)
	p.Tier = cmp.Or(in.Tier, p.Tier, standard)
	if p.Tier == "Intelligent-Tiering" {
		if p.Tier = standard; len(in.Value) > maxStandardValue || in.Policies != "" {
			p.Tier = advanced
		}
	}
	if p.Type == secure {
		p.KeyID = cmp.Or(in.KeyID, p.KeyID, ownKey)
	}
	for _, t := range in.Tags {
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		p.Tags[t.Key] = t.Value
	}
	p.Versions = append(p.Versions, Version{Number: number, Value: in.Value, Changed: now, User: user})
}

type deleteInput struct{ Name string }

func (s *Service) deleteParameter(call *operation.Call, in *deleteInput) (*struct{}, error) {
	name := plainName(in.Name)
	if err := s.may(call, name); err != nil {
		return nil, err
	}
	return &struct{}{}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if _, found := parameters.Get(tx, name); !found {
			return refuse("ParameterNotFound", "")
		}
		parameters.Delete(tx, name)
		return nil
	})
}

type deleteManyInput struct{ Names []string }

type deleteManyOutput struct{ DeletedParameters, InvalidParameters []string }

func (s *Service) deleteParameters(call *operation.Call, in *deleteManyInput) (*deleteManyOutput, error) {
	if err := s.may(call, in.Names...); err != nil {
		return nil, err
	}
	out := &deleteManyOutput{}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		*out = deleteManyOutput{[]string{}, []string{}}
		for _, name := range in.Names {
			if _, found := parameters.Get(tx, plainName(name)); !found {
				out.InvalidParameters = append(out.InvalidParameters, name)
				continue
			}
			parameters.Delete(tx, plainName(name))
			out.DeletedParameters = append(out.DeletedParameters, name)
		}
		return nil
	})
}

type labelInput struct {
	Name             string
	ParameterVersion *int64
	Labels           []string
}

type labelOutput struct {
	InvalidLabels    []string
	ParameterVersion int64
}

var (
	validLabel   = regexp.MustCompile(`^[A-Za-z_.][A-Za-z0-9_.\-]*$`)
	reservedWord = regexp.MustCompile(`(?i)^(aws|ssm)`)
)

// labelVersion gives labels to a version; a label that another version has moves.
func (s *Service) labelVersion(call *operation.Call, in *labelInput) (*labelOutput, error) {
	name := plainName(in.Name)
	if err := s.may(call, name); err != nil {
		return nil, err
	}
	out := &labelOutput{}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		out.InvalidLabels = []string{}
		p, found := parameters.Get(tx, name)
		if !found {
			return refuse("ParameterNotFound", "Parameter %s not found.", wire.Clip(name))
		}
		v := p.newest()
		if in.ParameterVersion != nil {
			if v = p.version(fmt.Sprint(*in.ParameterVersion)); v == nil {
				return refuse("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.",
					*in.ParameterVersion, p.Name)
			}
		}
		for _, label := range in.Labels {
			if !validLabel.MatchString(label) || reservedWord.MatchString(label) || len(label) > 100 {
				out.InvalidLabels = append(out.InvalidLabels, label)
				continue
			}
			for i := range p.Versions {
				p.Versions[i].Labels = slices.DeleteFunc(p.Versions[i].Labels, func(l string) bool { return l == label })
			}
			v.Labels = append(v.Labels, label)
		}
		if len(v.Labels) > maxLabels {
			return refuse("ParameterVersionLabelLimitExceeded", "An error occurred (ParameterVersionLabelLimitExceeded) when calling the "+
				"LabelParameterVersion operation: A parameter version can have maximum 10 labels.Move one or more labels to another "+
				"version and try again.")
		}
		out.ParameterVersion = v.Number
		parameters.Put(tx, name, p)
		return nil
	})
}

type tagsInput struct {
	ResourceType, ResourceID string
	Tags                     []tag
	TagKeys                  []string
}

type tagsOutput struct{ TagList []tag }

// tagged finds the parameter that a call about tags names, and changes it if change is given.
func (s *Service) tagged(call *operation.Call, in *tagsInput, change func(*Parameter)) (*tagsOutput, error) {
	name := plainName(in.ResourceID)
	if err := s.may(call, name); err != nil {
		return nil, err
	}
	if in.ResourceType != "Parameter" {
		return nil, refuse("InvalidResourceType", "The resource type is not valid. Tripod has tags of Parameter.")
	}
	out := &tagsOutput{TagList: []tag{}}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		p, found := parameters.Get(tx, name)
		if !found {
			return refuse("InvalidResourceId", "The resource ID is not valid. Verify that you entered the correct ID and try again.")
		}
		if change == nil {
			out.TagList = []tag{}
			for key, value := range p.Tags {
				out.TagList = append(out.TagList, tag{key, value})
			}
			slices.SortFunc(out.TagList, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
			return nil
		}
		change(&p)
		parameters.Put(tx, name, p)
		return nil
	})
}

func (s *Service) addTags(call *operation.Call, in *tagsInput) (*struct{}, error) {
	_, err := s.tagged(call, in, func(p *Parameter) {
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		for _, t := range in.Tags {
			p.Tags[t.Key] = t.Value
		}
	})
	return &struct{}{}, err
}

func (s *Service) removeTags(call *operation.Call, in *tagsInput) (*struct{}, error) {
	_, err := s.tagged(call, in, func(p *Parameter) {
		for _, key := range in.TagKeys {
			delete(p.Tags, key)
		}
	})
	return &struct{}{}, err
}

func (s *Service) listTags(call *operation.Call, in *tagsInput) (*tagsOutput, error) {
	return s.tagged(call, in, nil)
}
