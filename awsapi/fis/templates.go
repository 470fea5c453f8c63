package fis

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// maxTemplates is FIS's quota of an account.
const maxTemplates = 500

func (s *Service) createTemplate(call *operation.Call, in *fis.CreateExperimentTemplateInput) (*fis.CreateExperimentTemplateOutput,
	error) {
	made := template{record: recordOf(in.ClientToken, in), ExperimentTemplate: as[types.ExperimentTemplate](in)}
	if err := permit(call, s.arn("experiment-template/*"), nil); err != nil {
		return nil, err
	}
	if err := s.mayUse(call, made); err != nil {
		return nil, err
	}
	complete(&made.ExperimentTemplate)
	if err := s.check(made.ExperimentTemplate); err != nil {
		return nil, err
	}
	id, now := newID("EXT"), s.now()
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		all := templates.List(tx)
		for _, other := range all {
			if again, err := other.repeated(in.ClientToken, in); again {
				made = other
				return err
			}
		}
		if len(all) >= maxTemplates {
			return tooMany("You have reached the quota of %d experiment templates.", maxTemplates)
		}
		made.Id, made.Arn, made.CreationTime, made.LastUpdateTime = &id, aws.String(s.arn("experiment-template/"+id)), &now, &now
		templates.Put(tx, id, made)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &fis.CreateExperimentTemplateOutput{ExperimentTemplate: &made.ExperimentTemplate}, nil
}

// mayUse asks whether the caller may have a template with these actions, and give its role to FIS.
func (s *Service) mayUse(call *operation.Call, t template) error {
	for _, one := range t.Actions {
		if err := permit(call, s.arn("action/"+aws.ToString(one.ActionId)), nil); err != nil {
			return err
		}
	}
	if t.RoleArn == nil {
		return nil
	}
	return call.PassRole(wire.RestJSON, operation.PassedRole{ARN: *t.RoleArn, Service: Principal}, s.arn("experiment-template/*"))
}

// complete gives a template what FIS takes where nothing is said.
func complete(t *types.ExperimentTemplate) {
	if t.ExperimentOptions == nil {
		t.ExperimentOptions = &types.ExperimentTemplateExperimentOptions{}
	}
	if t.ExperimentOptions.AccountTargeting == "" {
		t.ExperimentOptions.AccountTargeting = types.AccountTargetingSingleAccount
	}
	if t.ExperimentOptions.EmptyTargetResolutionMode == "" {
		t.ExperimentOptions.EmptyTargetResolutionMode = types.EmptyTargetResolutionModeFail
	}
	if t.Targets == nil {
		t.Targets = map[string]types.ExperimentTemplateTarget{}
	}
	if t.Tags == nil {
		t.Tags = map[string]string{}
	}
	t.TargetAccountConfigurationsCount = aws.Int64(0)
}

// templateOf is a template by its id, whom the caller may do the operation to.
func (s *Service) templateOf(tx *state.Txn, call *operation.Call, id *string) (template, error) {
	t, found := templates.Get(tx, aws.ToString(id))
	if err := permit(call, s.arn("experiment-template/"+aws.ToString(id)), t.Tags); err != nil {
		return t, err
	}
	if !found {
		return t, notFound("Experiment template %s was not found.", aws.ToString(id))
	}
	return t, nil
}

func (s *Service) getTemplate(call *operation.Call, in *fis.GetExperimentTemplateInput) (*fis.GetExperimentTemplateOutput, error) {
	var t template
	err := s.State.View(func(tx *state.Txn) (err error) { t, err = s.templateOf(tx, call, in.Id); return err })
	if err != nil {
		return nil, err
	}
	return &fis.GetExperimentTemplateOutput{ExperimentTemplate: &t.ExperimentTemplate}, nil
}

func (s *Service) deleteTemplate(call *operation.Call, in *fis.DeleteExperimentTemplateInput) (*fis.DeleteExperimentTemplateOutput,
	error) {
	var t template
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		if t, err = s.templateOf(tx, call, in.Id); err == nil {
			templates.Delete(tx, *t.Id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fis.DeleteExperimentTemplateOutput{ExperimentTemplate: &t.ExperimentTemplate}, nil
}

func (s *Service) updateTemplate(call *operation.Call, in *fis.UpdateExperimentTemplateInput) (*fis.UpdateExperimentTemplateOutput,
	error) {
	var t template
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		if t, err = s.templateOf(tx, call, in.Id); err != nil {
			return err
		}
		change(&t.ExperimentTemplate, as[types.ExperimentTemplate](in), in)
		if err := s.mayUse(call, template{ExperimentTemplate: types.ExperimentTemplate{Actions: t.Actions, RoleArn: in.RoleArn}}); err != nil {
			return err
		}
		if err := s.check(t.ExperimentTemplate); err != nil {
			return err
		}
		t.LastUpdateTime = aws.Time(s.now())
		templates.Put(tx, *t.Id, t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &fis.UpdateExperimentTemplateOutput{ExperimentTemplate: &t.ExperimentTemplate}, nil
}

// change gives a template what an update has. A configuration of logs or reports that is empty takes it away.
func change(t *types.ExperimentTemplate, to types.ExperimentTemplate, in *fis.UpdateExperimentTemplateInput) {
	if to.Description != nil {
		t.Description = to.Description
	}
	if to.Actions != nil {
		t.Actions = to.Actions
	}
	if to.Targets != nil {
		t.Targets = to.Targets
	}
	if to.RoleArn != nil {
		t.RoleArn = to.RoleArn
	}
	if to.StopConditions != nil {
		t.StopConditions = to.StopConditions
	}
	if in.LogConfiguration != nil {
		t.LogConfiguration = to.LogConfiguration
		if in.LogConfiguration.CloudWatchLogsConfiguration == nil && in.LogConfiguration.S3Configuration == nil {
			t.LogConfiguration = nil
		}
	}
	if in.ExperimentReportConfiguration != nil {
		t.ExperimentReportConfiguration = to.ExperimentReportConfiguration
		if in.ExperimentReportConfiguration.Outputs == nil {
			t.ExperimentReportConfiguration = nil
		}
	}
	if in.ExperimentOptions != nil && in.ExperimentOptions.EmptyTargetResolutionMode != "" {
		t.ExperimentOptions.EmptyTargetResolutionMode = in.ExperimentOptions.EmptyTargetResolutionMode
	}
}

func (s *Service) listTemplates(call *operation.Call, in *fis.ListExperimentTemplatesInput) (*fis.ListExperimentTemplatesOutput, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	var all []types.ExperimentTemplateSummary
	s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, t := range templates.List(tx) {
			all = append(all, as[types.ExperimentTemplateSummary](t.ExperimentTemplate))
		}
		return nil
	})
	part, next, err := page("ListExperimentTemplates", in.MaxResults, in.NextToken, all,
		func(t types.ExperimentTemplateSummary) string { return *t.Id })
	return &fis.ListExperimentTemplatesOutput{ExperimentTemplates: part, NextToken: next}, err
}

// resourceName is the part of an ARN of FIS's behind the account: experiment/EXP...
func resourceName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
