package ec2

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// maxVersions is how many versions a launch template has. AWS has 10,000; here they are one record of the regional
// state.
const maxVersions = 100

// noVersion is the code of a version that is not there.
const noVersion = "InvalidLaunchTemplateId.VersionNotFound"

// whichVersions is what AWS says of a call that asks for versions without saying whose.
const whichVersions = "To describe the launch template data for all your launch templates, for ‘--versions’ " +
	"specify ‘$Latest’, ‘$Default’, or both, " +
	"and omit ‘--launch-template-id’, ‘--launch-template-name’, and version numbers. To describe the launch template " +
	"data for a specific launch template, " +
	"specify ‘--launch-template-id’ or ‘--launch-template-name’, and for ‘--versions’ specify one or more of the " +
	"following values: ‘$Latest’, ‘$Default’, " +
	"or one or more version numbers."

// version is the one with that number, or $Latest or $Default.
func (t launchTemplate) version(text string) (templateVersion, error) {
	number, err := strconv.Atoi(text)
	switch {
	case text == "$Latest":
		number = t.Latest
	case text == "$Default":
		number = t.Default
	case err != nil:
		return templateVersion{}, refuse("InvalidParameterValue", "Value (%s) for parameter version is invalid: use a "+
			"number, $Latest or $Default.", clip(text))
	}
	for _, v := range t.Versions {
		if v.Number == number {
			v.Default = number == t.Default
			return v, nil
		}
	}
	return templateVersion{}, refuse(noVersion, "Could not find the specified version %s for the launch template "+
		"with ID %s.", clip(text), t.TemplateID)
}

type createTemplateVersionInput struct {
	TemplateID  string       `ec2:"LaunchTemplateId"`
	Name        string       `ec2:"LaunchTemplateName"`
	Source      string       `ec2:"SourceVersion"`
	Description string       `ec2:"VersionDescription"`
	Token       string       `ec2:"ClientToken"`
	Data        templateData `ec2:"LaunchTemplateData"`
}

type createTemplateVersionOutput struct {
	Version templateVersion `xml:"launchTemplateVersion"`
}

func (s *Service) createTemplateVersion(call *operation.Call,
	in *createTemplateVersionInput) (*createTemplateVersionOutput, error) {
	made, err := s.newVersion(call, in.Description, in.Token, in.Data)
	if err != nil {
		return nil, err
	}
	out := &createTemplateVersionOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		t, err := s.template(tx, in.TemplateID, in.Name)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(t.Versions,
			func(v templateVersion) bool { return in.Token != "" && v.Token == in.Token }); at >= 0 {
			out.Version = t.Versions[at]
			out.Version.Default = t.Versions[at].Number == t.Default
			return nil
		}
		if len(t.Versions) >= maxVersions {
			return refuse("MaxTemplateVersionLimitExceeded", "The launch template %s has %d versions: delete some first.",
				t.TemplateID, maxVersions)
		}
		v := made
		if in.Source != "" {
			source, err := t.version(in.Source)
			if err != nil {
				return err
			}
			v.Data = v.Data.over(source.Data)
		}
		t.Last++
		t.Latest = t.Last
		v.TemplateID, v.Name, v.Number = t.TemplateID, t.Name, t.Last
		t.Versions = append(t.Versions, v)
		launchTemplates.put(s, tx, t)
		out.Version = v
		return nil
	})
}

type describeTemplateVersionsInput struct {
	TemplateID     string   `ec2:"LaunchTemplateId"`
	Name           string   `ec2:"LaunchTemplateName"`
	Versions       []string `ec2:"LaunchTemplateVersion"`
	MinVersion     string   `ec2:"MinVersion"`
	MaxVersion     string   `ec2:"MaxVersion"`
	Filters        []filter `ec2:"Filter"`
	MaxResults     *int     `ec2:"MaxResults"`
	NextToken      string   `ec2:"NextToken"`
	ResolveAlias   bool     `ec2:"ResolveAlias"`            // image ids are shown as they were given
	IncludeManaged bool     `ec2:"IncludeManagedResources"` // there are none
}

type describeTemplateVersionsOutput struct {
	Versions  list[templateVersion] `xml:"launchTemplateVersionSet"`
	NextToken string                `xml:"nextToken,omitempty"`
}

func (s *Service) describeTemplateVersions(call *operation.Call,
	in *describeTemplateVersionsInput) (*describeTemplateVersionsOutput, error) {
	var all []templateVersion
	err := s.State.View(func(tx *state.Txn) error {
		if in.TemplateID == "" && in.Name == "" {
			return s.versionsOfAll(tx, in.Versions, &all)
		}
		t, err := s.template(tx, in.TemplateID, in.Name)
		if err != nil {
			return err
		}
		wanted := in.Versions
		if len(wanted) == 0 {
			wanted = each(t.Versions, func(v templateVersion) string { return strconv.Itoa(v.Number) })
		}
		return t.pick(wanted, &all)
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	if all, err = in.between(all); err != nil {
		return nil, err
	}
	if all, err = matching(call.Operation, all, in.Filters, nil); err != nil {
		return nil, err
	}
	place := func(v templateVersion) string { return fmt.Sprintf("%s/%09d", v.TemplateID, v.Number) }
	slices.SortFunc(all, func(a, b templateVersion) int { return strings.Compare(place(a), place(b)) })
	// A token is of the same template, versions and filters.
	bound := append(in.Filters,
		filter{"of", append([]string{in.TemplateID, in.Name, in.MinVersion, in.MaxVersion}, in.Versions...)})
	out := &describeTemplateVersionsOutput{}
	out.Versions, out.NextToken, err = cut(call.Operation, all, page{bound, in.MaxResults, in.NextToken}, nil, place)
	return out, err
}

// between are the versions whose numbers are within MinVersion and MaxVersion.
func (in *describeTemplateVersionsInput) between(all []templateVersion) ([]templateVersion, error) {
	bounds := [2]int{1, math.MaxInt}
	for i, text := range []string{in.MinVersion, in.MaxVersion} {
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 {
			return nil, refuse("InvalidParameterValue", "Value (%s) for parameter version is invalid: MinVersion and "+
				"MaxVersion are numbers.", clip(text))
		}
		bounds[i] = number
	}
	return slices.DeleteFunc(all, func(v templateVersion) bool { return v.Number < bounds[0] || v.Number > bounds[1] }),
		nil
}

// versionsOfAll are the latest or default versions of all templates: what EC2 gives where no template is named.
func (s *Service) versionsOfAll(tx *state.Txn, wanted []string, into *[]templateVersion) error {
	if len(wanted) == 0 {
		return refuse("MissingParameter", whichVersions)
	}
	if slices.ContainsFunc(wanted, func(v string) bool { return v != "$Latest" && v != "$Default" }) {
		return refuse("InvalidParameterValue", whichVersions)
	}
	for _, t := range launchTemplates.all(s, tx) {
		if err := t.pick(wanted, into); err != nil {
			return err
		}
	}
	return nil
}

// pick appends the template's versions that are wanted, each once.
func (t launchTemplate) pick(wanted []string, into *[]templateVersion) error {
	seen := map[int]bool{}
	for _, text := range wanted {
		v, err := t.version(text)
		if err != nil {
			return err
		}
		if !seen[v.Number] {
			*into = append(*into, v)
		}
		seen[v.Number] = true
	}
	return nil
}

type deleteTemplateVersionsInput struct {
	TemplateID string   `ec2:"LaunchTemplateId"`
	Name       string   `ec2:"LaunchTemplateName"`
	Versions   []string `ec2:"LaunchTemplateVersion,required"`
}

type deletedVersion struct {
	TemplateID string        `xml:"launchTemplateId"`
	Name       string        `xml:"launchTemplateName"`
	Number     int           `xml:"versionNumber"`
	Error      *versionError `xml:"responseError"`
}

type versionError struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type deleteTemplateVersionsOutput struct {
	Deleted list[deletedVersion] `xml:"successfullyDeletedLaunchTemplateVersionSet"`
	Kept    list[deletedVersion] `xml:"unsuccessfullyDeletedLaunchTemplateVersionSet"`
}

// deleteTemplateVersions deletes those that it can, and says of each other why not, as EC2 does.
func (s *Service) deleteTemplateVersions(call *operation.Call,
	in *deleteTemplateVersionsInput) (*deleteTemplateVersionsOutput, error) {
	out := &deleteTemplateVersionsOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		t, err := s.template(tx, in.TemplateID, in.Name)
		if err != nil {
			return err
		}
		*out = deleteTemplateVersionsOutput{}
		for _, text := range in.Versions {
			number, err := strconv.Atoi(text)
			if err != nil {
				return refuse("InvalidParameterValue", "Value (%s) for parameter version is invalid: versions are deleted "+
					"by number.", clip(text))
			}
			answer := deletedVersion{TemplateID: t.TemplateID, Name: t.Name, Number: number}
			at := slices.IndexFunc(t.Versions, func(v templateVersion) bool { return v.Number == number })
			switch {
			case at < 0:
				answer.Error = &versionError{"launchTemplateVersionDoesNotExist", "There is no such version."}
			case number == t.Default:
				answer.Error = &versionError{"unexpectedError",
					"The default version cannot be deleted: make another the default first."}
			default:
				t.Versions = slices.Delete(t.Versions, at, at+1)
				out.Deleted = append(out.Deleted, answer)
				continue
			}
			out.Kept = append(out.Kept, answer)
		}
		t.Latest = t.Versions[len(t.Versions)-1].Number // the default one is always left
		launchTemplates.put(s, tx, t)
		return nil
	})
}
