package fis

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	// maxActive is FIS's quota of experiments of an account that run at once.
	maxActive = 5
	// remembered is how many experiments that have ended are kept.
	remembered = 200
)

func (s *Service) startExperiment(call *operation.Call, in *fis.StartExperimentInput) (*fis.StartExperimentOutput, error) {
	var e experiment
	id := newID("EXP")
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		t, err := s.templateOf(tx, call, in.ExperimentTemplateId)
		if err != nil {
			return err
		}
		if err := permit(call, s.arn("experiment/*"), nil); err != nil {
			return err
		}
		all := experiments.List(tx)
		for _, other := range all {
			if again, err := other.repeated(in.ClientToken, in); again {
				e = other
				return err
			}
		}
		if len(active.List(tx)) >= maxActive {
			return tooMany("You have reached the quota of %d active experiments.", maxActive)
		}
		e = experimentOf(t, in)
		e.record = recordOf(in.ClientToken, in)
		e.Id, e.Arn, e.CreationTime = &id, aws.String(s.arn("experiment/"+id)), aws.Time(s.now())
		put(tx, e)
		forget(tx, all)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &fis.StartExperimentOutput{Experiment: &e.Experiment}, nil
}

// experimentOf is an experiment of a template, which is not changed by what becomes of the template.
func experimentOf(t template, in *fis.StartExperimentInput) experiment {
	e := experiment{Experiment: as[types.Experiment](t.ExperimentTemplate)}
	e.ExperimentTemplateId, e.EndTime = t.Id, nil
	e.ExperimentOptions.ActionsMode = types.ActionsModeRunAll
	if in.ExperimentOptions != nil {
		e.ExperimentOptions.ActionsMode = cmp.Or(in.ExperimentOptions.ActionsMode, types.ActionsModeRunAll)
	}
	e.Tags = in.Tags
	if e.Tags == nil {
		e.Tags = map[string]string{}
	}
	e.State = &types.ExperimentState{Status: types.ExperimentStatusPending, Reason: aws.String("Experiment is pending.")}
	for name, one := range e.Actions {
		one.State = &types.ExperimentActionState{Status: types.ExperimentActionStatusPending, Reason: aws.String("Initial state")}
		e.Actions[name] = one
	}
	return e
}

// forget forgets the oldest experiments that have ended.
func forget(tx *state.Txn, all []experiment) {
	ended := slices.DeleteFunc(all, func(e experiment) bool { return !over(e.State.Status) })
	slices.SortFunc(ended, func(a, b experiment) int { return a.CreationTime.Compare(*b.CreationTime) })
	for i := range max(0, len(ended)-remembered) {
		experiments.Delete(tx, *ended[i].Id)
	}
}

// experimentOf is an experiment by its id, whom the caller may do the operation to.
func (s *Service) experimentOf(tx *state.Txn, call *operation.Call, id *string) (experiment, error) {
	e, found := experiments.Get(tx, aws.ToString(id))
	if err := permit(call, s.arn("experiment/"+aws.ToString(id)), e.Tags); err != nil {
		return e, err
	}
	if !found {
		return e, notFound("Experiment %s was not found.", aws.ToString(id))
	}
	return e, nil
}

func (s *Service) stopExperiment(call *operation.Call, in *fis.StopExperimentInput) (*fis.StopExperimentOutput, error) {
	var e experiment
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		if e, err = s.experimentOf(tx, call, in.Id); err != nil {
			return err
		}
		if over(e.State.Status) {
			return invalid("The experiment %s cannot be stopped: its state is %s.", *e.Id, e.State.Status)
		}
		if e.State.Status != types.ExperimentStatusStopping {
			e.stop(types.ExperimentStatusStopped, "Experiment stopped by user request.", "", "")
			put(tx, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &fis.StopExperimentOutput{Experiment: &e.Experiment}, nil
}

// StopAll begins to stop every experiment that has not ended, and says which these are. They have ended when none of them is Going.
func (s *Service) StopAll(ctx context.Context, reason string) (ids []string, err error) {
	err = s.State.Update(ctx, func(tx *state.Txn) error {
		ids = active.List(tx)
		for _, id := range ids {
			if e, found := experiments.Get(tx, id); found && e.State.Status != types.ExperimentStatusStopping {
				e.stop(types.ExperimentStatusStopped, reason, "", "")
				put(tx, e)
			}
		}
		return nil
	})
	return ids, err
}

// Going are those of the experiments that have not ended.
func Going(tx *state.Txn, ids []string) (going []string) {
	for _, id := range ids {
		if _, goes := active.Get(tx, id); goes {
			going = append(going, id)
		}
	}
	return going
}

func (s *Service) getExperiment(call *operation.Call, in *fis.GetExperimentInput) (*fis.GetExperimentOutput, error) {
	var e experiment
	err := s.State.View(func(tx *state.Txn) (err error) { e, err = s.experimentOf(tx, call, in.Id); return err })
	if err != nil {
		return nil, err
	}
	return &fis.GetExperimentOutput{Experiment: &e.Experiment}, nil
}

func (s *Service) listExperiments(call *operation.Call, in *fis.ListExperimentsInput) (*fis.ListExperimentsOutput, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	var all []types.ExperimentSummary
	s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, e := range experiments.List(tx) {
			if of := aws.ToString(in.ExperimentTemplateId); of == "" || of == aws.ToString(e.ExperimentTemplateId) {
				all = append(all, as[types.ExperimentSummary](e.Experiment))
			}
		}
		return nil
	})
	part, next, err := page("ListExperiments "+aws.ToString(in.ExperimentTemplateId), in.MaxResults, in.NextToken, all,
		func(e types.ExperimentSummary) string { return *e.Id })
	return &fis.ListExperimentsOutput{Experiments: part, NextToken: next}, err
}

func (s *Service) listResolved(call *operation.Call, in *fis.ListExperimentResolvedTargetsInput) (*fis.ListExperimentResolvedTargetsOutput,
	error) {
	var e experiment
	err := s.State.View(func(tx *state.Txn) (err error) { e, err = s.experimentOf(tx, call, in.ExperimentId); return err })
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(e.Resolved, func(t types.ResolvedTarget) bool {
		return in.TargetName != nil && *in.TargetName != *t.TargetName
	})
	part, next, err := page("ListExperimentResolvedTargets "+*e.Id+aws.ToString(in.TargetName), in.MaxResults, in.NextToken, all,
		func(t types.ResolvedTarget) string {
			about := t.TargetInformation
			return *t.TargetName + " " + about[aboutARN] + about[aboutCluster] + "/" + about[aboutNamespace] + "/" + about[aboutPod]
		})
	return &fis.ListExperimentResolvedTargetsOutput{ResolvedTargets: part, NextToken: next}, err
}
