package ec2

import (
	"cmp"
	"errors"
	"regexp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// launchTemplate is a launch template as stored and as EC2 shows it.
type launchTemplate struct {
	TemplateID string    `xml:"launchTemplateId"`
	Name       string    `xml:"launchTemplateName"`
	Created    string    `xml:"createTime"`
	CreatedBy  string    `xml:"createdBy"`
	Default    int       `xml:"defaultVersionNumber"`
	Latest     int       `xml:"latestVersionNumber"`
	Tags       list[tag] `xml:"tagSet" json:"-"`

	Versions []templateVersion `xml:"-"`
	Last     int               `xml:"-"` // the number given last: deleted versions' are not given again
	Token    string            `xml:"-"` // the ClientToken of its creation
}

// templateVersion is one version of a launch template. Its number stays its own when others are deleted.
type templateVersion struct {
	TemplateID  string       `xml:"launchTemplateId"`
	Name        string       `xml:"launchTemplateName"`
	Number      int          `xml:"versionNumber"`
	Description string       `xml:"versionDescription,omitempty"`
	Created     string       `xml:"createTime"`
	CreatedBy   string       `xml:"createdBy"`
	Default     bool         `xml:"defaultVersion" json:"-"`
	Data        templateData `xml:"launchTemplateData"`

	Token string `xml:"-"` // the ClientToken of its creation
}

var launchTemplates = &kind[launchTemplate]{
	table: state.NewTable[entry[launchTemplate]]("ec2-launch-template"), prefix: "lt", noun: "launch template ID",
	code:   "InvalidLaunchTemplateId",
	absent: "The specified launch template, with template ID %s, does not exist.",
	id:     func(v launchTemplate) string { return v.TemplateID },
}

// templateName is how AWS wants launch templates to be called.
var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

// template is the launch template with that id, or that name.
func (s *Service) template(tx *state.Txn, templateID, name string) (launchTemplate, error) {
	switch {
	case templateID != "" && name != "":
		return launchTemplate{}, namedTwice()
	case templateID == "" && name == "":
		return launchTemplate{}, refuse("MissingParameter", "The request must contain the parameter launch template ID "+
			"or launch template name")
	case templateID != "":
		return launchTemplates.get(s, tx, templateID)
	}
	for _, t := range launchTemplates.all(s, tx) {
		if t.Name == name {
			return t, nil
		}
	}
	return launchTemplate{}, noTemplateNamed(name)
}

func namedTwice() error {
	return refuse("InvalidParameterCombination", "Either provide launch template ID or launch template name to modify the "+
		"template.")
}

// versionOf finds the launch template and the version that a stored reference names: by the id where it has one, and without
// a version the default one.
func (s *Service) versionOf(tx *state.Txn, of region.TemplateRef) (t launchTemplate, v templateVersion, err error) {
	if of.ID != "" {
		of.Name = "" // EC2 takes one of them
	}
	if t, err = s.template(tx, of.ID, of.Name); err == nil {
		v, err = t.version(cmp.Or(of.Version, "$Default"))
	}
	return t, v, err
}

func noTemplateNamed(name string) error {
	return refuse("InvalidLaunchTemplateName.NotFoundException",
		"The specified launch template, with template name %s, does not exist.", clip(name))
}

type createTemplateInput struct {
	Name           string             `ec2:"LaunchTemplateName,required"`
	Description    string             `ec2:"VersionDescription"`
	Token          string             `ec2:"ClientToken"`
	Data           templateData       `ec2:"LaunchTemplateData,required"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// templateOutput is the answer of what makes or changes a launch template.
type templateOutput struct {
	Template launchTemplate `xml:"launchTemplate"`
}

func (s *Service) createTemplate(call *operation.Call, in *createTemplateInput) (*templateOutput, error) {
	if !templateName.MatchString(in.Name) {
		return nil, refuse("InvalidLaunchTemplateName.MalformedException",
			"A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the "+
				"following characters: ( ) . - / _.")
	}
	given, err := newTags(in.Specifications, "launch-template")
	if err != nil {
		return nil, err
	}
	first, err := s.newVersion(call, in.Description, in.Token, in.Data)
	if err != nil {
		return nil, err
	}
	first.TemplateID, first.Name, first.Number = newID("lt"), in.Name, 1
	out := &templateOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range launchTemplates.all(s, tx) {
			switch {
			case earlier.Name != in.Name:
			case in.Token != "" && earlier.Token == in.Token:
				out.Template = earlier
				out.Template.Tags = s.tagsOf(tx, earlier.TemplateID)
				return nil
			default:
				return refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
			}
		}
		out.Template = launchTemplate{TemplateID: first.TemplateID, Name: in.Name, Created: first.Created,
			CreatedBy: first.CreatedBy, Default: 1, Latest: 1, Last: 1,
			Tags: given, Versions: []templateVersion{first}, Token: in.Token}
		launchTemplates.put(s, tx, out.Template)
		tags.Put(tx, first.TemplateID, given)
		return nil
	})
}

// newVersion is a version without its template's name and number.
func (s *Service) newVersion(call *operation.Call, description, token string, data templateData) (templateVersion,
	error) {
	switch {
	case len(description) > 255:
		return templateVersion{}, refuse("InvalidParameterValue", "VersionDescription must be at most 255 characters.")
	case len(token) > 128:
		return templateVersion{}, refuse("InvalidParameterValue", "ClientToken must be at most 128 characters.")
	}
	return templateVersion{Description: description, Created: timestamp(s.now()), CreatedBy: call.Principal.ARN,
		Data: data, Token: token}, data.check()
}

// templateInput names a launch template.
type templateInput struct {
	TemplateID string `ec2:"LaunchTemplateId"`
	Name       string `ec2:"LaunchTemplateName"`
}

func (s *Service) deleteTemplate(call *operation.Call, in *templateInput) (*templateOutput, error) {
	out := &templateOutput{}
	return change(s, call, out, func(tx *state.Txn) (err error) {
		if out.Template, err = s.template(tx, in.TemplateID, in.Name); err != nil {
			return err
		}
		return launchTemplates.delete(s, tx, out.Template.TemplateID)
	})
}

type modifyTemplateInput struct {
	TemplateID string `ec2:"LaunchTemplateId"`
	Name       string `ec2:"LaunchTemplateName"`
	Token      string `ec2:"ClientToken"` // of no use: doing it twice is doing it once
	Default    string `ec2:"SetDefaultVersion,required"`
}

func (s *Service) modifyTemplate(call *operation.Call, in *modifyTemplateInput) (*templateOutput, error) {
	out := &templateOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		t, err := s.template(tx, in.TemplateID, in.Name)
		if err != nil {
			return err
		}
		v, err := t.version(in.Default)
		var refusal *wire.Error
		if errors.As(err, &refusal) && refusal.Code == noVersion { // in the words of this operation
			return refuse(noVersion, "The launch template version %s is not found for the specified launch template.",
				clip(in.Default))
		}
		if err != nil {
			return err
		}
		t.Default = v.Number
		launchTemplates.put(s, tx, t)
		out.Template = t
		out.Template.Tags = s.tagsOf(tx, t.TemplateID)
		return nil
	})
}

type describeTemplatesInput struct {
	IDs            []string `ec2:"LaunchTemplateId"`
	Names          []string `ec2:"LaunchTemplateName"`
	Filters        []filter `ec2:"Filter"`
	MaxResults     *int     `ec2:"MaxResults"`
	NextToken      string   `ec2:"NextToken"`
	IncludeManaged bool     `ec2:"IncludeManagedResources"` // there are none
}

type describeTemplatesOutput struct {
	Templates list[launchTemplate] `xml:"launchTemplates"`
	NextToken string               `xml:"nextToken,omitempty"`
}

func (s *Service) describeTemplates(call *operation.Call, in *describeTemplatesInput) (*describeTemplatesOutput,
	error) {
	if len(in.Names) > 0 {
		in.Filters = append(in.Filters, filter{"launch-template-name", in.Names})
	}
	found, next, err := describe(s, call, launchTemplates, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *launchTemplate) { v.Tags = s.tagsOf(tx, v.TemplateID) })
	if err != nil {
		return nil, err
	}
	for _, name := range in.Names {
		if next == "" && in.NextToken == "" &&
			!slices.ContainsFunc(found, func(t launchTemplate) bool { return t.Name == name }) {
			return nil, refuse("InvalidLaunchTemplateName.NotFoundException",
				"At least one of the launch templates specified in the request does not exist.")
		}
	}
	return &describeTemplatesOutput{found, next}, nil
}
