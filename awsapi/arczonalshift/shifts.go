package arczonalshift

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

const (
	// longestShift is how far ahead a shift's end can be.
	longestShift = 72 * time.Hour
	// practiceLength is how long a practice run takes.
	practiceLength = 30 * time.Minute
	// remembered is how long ended shifts are listed.
	remembered = 30 * 24 * time.Hour
)

func (s *Service) startZonalShift(call *operation.Call,
	in *arczonalshift.StartZonalShiftInput) (*arczonalshift.StartZonalShiftOutput, error) {
	length, err := lengthOf(aws.ToString(in.ExpiresIn))
	if err != nil {
		return nil, err
	}
	shift, arn, err := s.start(call, in.ResourceIdentifier, aws.ToString(in.AwayFrom), aws.ToString(in.Comment), length,
		false)
	if err != nil {
		return nil, err
	}
	return &arczonalshift.StartZonalShiftOutput{ZonalShiftId: &shift.ID, ResourceIdentifier: &arn, AwayFrom: in.AwayFrom,
		Comment:   in.Comment,
		StartTime: &shift.StartedAt, ExpiryTime: &shift.ExpiresAt, Status: types.ZonalShiftStatusActive}, nil
}

// start begins a shift, of which a resource has one at a time.
func (s *Service) start(call *operation.Call, resourceARN *string, awayFrom, comment string, length time.Duration,
	practice bool) (shift region.ZonalShift, arn string, err error) {
	id := wire.NewRequestID()
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		resource, err := s.resource(tx, call, resourceARN)
		if err != nil {
			return err
		}
		zone, err := s.zoneOf(awayFrom)
		if err != nil {
			return err
		}
		now := s.now()
		shift = region.ZonalShift{ID: id, ClusterID: resource.ClusterID, Zone: zone, Comment: comment, StartedAt: now,
			ExpiresAt: now.Add(length), Practice: practice}
		if other, stays := region.Supersede(tx, shift); stays {
			return conflict(types.ConflictExceptionReasonZonalShiftAlreadyExists, other.ID,
				"There is already an active zonal shift for the resource %s: %s.", resource.ARN, other.ID)
		}
		for _, other := range region.ShiftsOf(tx, resource.ClusterID) {
			if now.Sub(other.ExpiresAt) > remembered {
				region.ZonalShifts.Delete(tx, other.ID)
			}
		}
		if practice {
			if err := s.mayPractice(tx, resource); err != nil {
				return err
			}
		}
		arn = resource.ARN
		region.ZonalShifts.Put(tx, id, shift)
		return nil
	})
	return shift, arn, err
}

// lengthOf reads an expiresIn, such as 90m or 72h: the model has checked its form.
func lengthOf(expiresIn string) (time.Duration, error) {
	n, err := strconv.Atoi(expiresIn[:len(expiresIn)-1])
	length := time.Duration(n) * time.Minute
	if expiresIn[len(expiresIn)-1] == 'h' {
		length = time.Duration(n) * time.Hour
	}
	if err != nil || length > longestShift {
		return 0, invalid(types.ValidationExceptionReasonInvalidExpiresIn,
			"A zonal shift ends at most 3 days (72 hours) from now, not %s.", expiresIn)
	}
	return length, nil
}

func (s *Service) updateZonalShift(call *operation.Call,
	in *arczonalshift.UpdateZonalShiftInput) (*arczonalshift.UpdateZonalShiftOutput, error) {
	if in.Comment == nil && in.ExpiresIn == nil {
		return nil, invalid(types.ValidationExceptionReasonMissingValue, "Give a comment, an expiresIn or both.")
	}
	shift, resource, err := s.changeShift(call, in.ZonalShiftId, false, func(shift *region.ZonalShift) error {
		if shift.Experiment != "" {
			return invalid(types.ValidationExceptionReasonFisExperimentUpdateNotAllowed,
				"%s is a zonal shift of the AWS FIS experiment %s and cannot be updated.", shift.ID, shift.Experiment)
		}
		if in.Comment != nil {
			shift.Comment = *in.Comment
		}
		if in.ExpiresIn != nil {
			length, err := lengthOf(*in.ExpiresIn)
			if err != nil {
				return err
			}
			shift.ExpiresAt = s.now().Add(length)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &arczonalshift.UpdateZonalShiftOutput{ZonalShiftId: &shift.ID, ResourceIdentifier: &resource.ARN,
		AwayFrom: aws.String(s.zoneID(shift.Zone)),
		Comment:  &shift.Comment, StartTime: &shift.StartedAt, ExpiryTime: &shift.ExpiresAt, Status: s.status(shift)}, nil
}

func (s *Service) cancelZonalShift(call *operation.Call,
	in *arczonalshift.CancelZonalShiftInput) (*arczonalshift.CancelZonalShiftOutput, error) {
	shift, resource, err := s.changeShift(call, in.ZonalShiftId, false, s.end)
	if err != nil {
		return nil, err
	}
	return &arczonalshift.CancelZonalShiftOutput{ZonalShiftId: &shift.ID, ResourceIdentifier: &resource.ARN,
		AwayFrom: aws.String(s.zoneID(shift.Zone)),
		Comment:  &shift.Comment, StartTime: &shift.StartedAt, ExpiryTime: &shift.ExpiresAt, Status: s.status(shift)}, nil
}

func (s *Service) end(shift *region.ZonalShift) error {
	shift.CanceledAt = aws.Time(s.now())
	return nil
}

// changeShift edits an active shift, or an active practice run.
func (s *Service) changeShift(call *operation.Call, id *string, practice bool,
	edit func(*region.ZonalShift) error) (shift region.ZonalShift, resource Resource, err error) {
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		found := false
		if shift, found = region.ZonalShifts.Get(tx, aws.ToString(id)); !found ||
			s.resourceOf(tx, shift.ClusterID).ARN == "" {
			if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
				return err
			}
			return notFound("The zonal shift %s was not found.", aws.ToString(id))
		}
		arn := s.resourceOf(tx, shift.ClusterID).ARN
		if resource, err = s.resource(tx, call, &arn); err != nil {
			return err
		}
		switch {
		case shift.Practice && !practice:
			return invalid(types.ValidationExceptionReasonAutoshiftUpdateNotAllowed,
				"%s is a practice run: CancelPracticeRun ends it.", shift.ID)
		case practice && !shift.Practice:
			return invalid(types.ValidationExceptionReasonUnsupportedPracticeCancelShiftType,
				"%s is no practice run: CancelZonalShift ends it.", shift.ID)
		case !shift.Active(s.now()):
			return conflict(types.ConflictExceptionReasonZonalShiftStatusNotActive, shift.ID,
				"The zonal shift %s is not active.", shift.ID)
		}
		if err := edit(&shift); err != nil {
			return err
		}
		region.ZonalShifts.Put(tx, shift.ID, shift)
		return nil
	})
	return shift, resource, err
}

func (s *Service) status(shift region.ZonalShift) types.ZonalShiftStatus {
	switch {
	case shift.Active(s.now()):
		return types.ZonalShiftStatusActive
	case shift.CanceledAt != nil:
		return types.ZonalShiftStatusCanceled
	}
	return types.ZonalShiftStatusExpired
}

// kindOf says whether somebody shifted or practises, and how the practice went.
func (s *Service) kindOf(shift region.ZonalShift) (types.ShiftType, types.PracticeRunOutcome) {
	switch {
	case shift.Experiment != "":
		return types.ShiftTypeFisExperiment, ""
	case !shift.Practice:
		return types.ShiftTypeZonalShift, ""
	case shift.Active(s.now()):
		return types.ShiftTypePracticeRun, types.PracticeRunOutcomePending
	case shift.CanceledAt != nil:
		return types.ShiftTypePracticeRun, types.PracticeRunOutcomeInterrupted
	}
	return types.ShiftTypePracticeRun, types.PracticeRunOutcomeSucceeded
}

func (s *Service) listZonalShifts(call *operation.Call,
	in *arczonalshift.ListZonalShiftsInput) (*arczonalshift.ListZonalShiftsOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":ListZonalShifts", "*"); err != nil {
		return nil, err
	}
	var all []types.ZonalShiftSummary
	err := s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, shift := range region.ZonalShifts.List(tx) {
			arn := s.resourceOf(tx, shift.ClusterID).ARN
			if arn == "" || in.ResourceIdentifier != nil && *in.ResourceIdentifier != arn || in.Status != "" &&
				in.Status != s.status(shift) {
				continue
			}
			kind, outcome := s.kindOf(shift)
			all = append(all, types.ZonalShiftSummary{ZonalShiftId: aws.String(shift.ID), ResourceIdentifier: &arn,
				AwayFrom: aws.String(s.zoneID(shift.Zone)),
				Comment:  aws.String(shift.Comment), StartTime: aws.Time(shift.StartedAt), ExpiryTime: aws.Time(shift.ExpiresAt),
				Status:    s.status(shift),
				ShiftType: kind, PracticeRunOutcome: outcome})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	items, next, err := page("ListZonalShifts "+aws.ToString(in.ResourceIdentifier)+" "+string(in.Status), in.MaxResults,
		in.NextToken, all,
		func(one types.ZonalShiftSummary) string {
			return one.StartTime.Format(time.RFC3339Nano) + *one.ZonalShiftId
		})
	return &arczonalshift.ListZonalShiftsOutput{Items: items, NextToken: next}, err
}

func page[T any](list string, size *int32, token *string, items []T, key func(T) string) ([]T, *string, error) {
	const usual = 100
	n := usual
	if size != nil {
		n = int(*size)
	}
	part, next, ok := wire.Page(list, n, token, items, key)
	if !ok {
		return nil, nil, invalid(types.ValidationExceptionReasonInvalidToken,
			"The nextToken is not one of this list: start again without it.")
	}
	return part, next, nil
}

// CancelAll ends a cluster's shifts: nothing of it is shifted any more.
func CancelAll(tx *state.Txn, clusterID string, now time.Time) {
	for _, shift := range region.ShiftsOf(tx, clusterID) {
		region.CancelShift(tx, shift, now)
	}
}

// Forget removes what is recorded of a cluster that is deleted.
func Forget(tx *state.Txn, clusterID string) {
	for _, shift := range region.ShiftsOf(tx, clusterID) {
		region.ZonalShifts.Delete(tx, shift.ID)
	}
	configs.Delete(tx, clusterID)
}
