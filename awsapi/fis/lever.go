package fis

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

// leverOf is the lever of that id, of which an account has one, whom the caller may do the operation to.
func (s *Service) leverOf(tx *state.Txn, call *operation.Call, id *string) (lever, error) {
	if err := permit(call, s.arn("safety-lever/"+aws.ToString(id)), nil); err != nil {
		return lever{}, err
	}
	if aws.ToString(id) != theLever {
		return lever{}, notFound("Safety lever %s was not found: the account's is %s.", aws.ToString(id), theLever)
	}
	l, _ := levers.Get(tx, theLever)
	return l, nil
}

// shownLever is the lever as FIS tells of it: engaging, for as long as what it stops has not stopped.
func (s *Service) shownLever(tx *state.Txn, l lever) *types.SafetyLever {
	state := &types.SafetyLeverState{Status: types.SafetyLeverStatusDisengaged, Reason: aws.String(l.Reason)}
	if l.Engaged {
		state.Status = types.SafetyLeverStatusEngaged
		if !active.Part("").Empty(tx) {
			state.Status = types.SafetyLeverStatusEngaging
		}
	}
	return &types.SafetyLever{Id: aws.String(theLever), Arn: aws.String(s.arn("safety-lever/" + theLever)), State: state}
}

func (s *Service) getLever(call *operation.Call, in *fis.GetSafetyLeverInput) (*fis.GetSafetyLeverOutput, error) {
	var shown *types.SafetyLever
	err := s.State.View(func(tx *state.Txn) error {
		l, err := s.leverOf(tx, call, in.Id)
		if err == nil {
			shown = s.shownLever(tx, l)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &fis.GetSafetyLeverOutput{SafetyLever: shown}, nil
}

func (s *Service) updateLever(call *operation.Call, in *fis.UpdateSafetyLeverStateInput) (*fis.UpdateSafetyLeverStateOutput, error) {
	var shown *types.SafetyLever
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		l, err := s.leverOf(tx, call, in.Id)
		if err != nil {
			return err
		}
		if l.Engaged && s.shownLever(tx, l).State.Status == types.SafetyLeverStatusEngaging {
			return conflict("The safety lever is engaging: try again when it is engaged.")
		}
		l = lever{Engaged: in.State.Status == types.SafetyLeverStatusInputEngaged, Reason: aws.ToString(in.State.Reason)}
		levers.Put(tx, theLever, l)
		shown = s.shownLever(tx, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &fis.UpdateSafetyLeverStateOutput{SafetyLever: shown}, nil
}
