package arczonalshift

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// autoshift is how a resource is set up for shifts that AWS starts.
type autoshift struct {
	Status   types.ZonalAutoshiftStatus      `json:"status"`
	Practice *types.PracticeRunConfiguration `json:"practice,omitempty"`
}

var (
	// by the cluster's ID
	configs   = state.NewTable[autoshift]("zonal-autoshift")
	observers = state.NewTable[types.AutoshiftObserverNotificationStatus]("zonal-autoshift-observer") // by observer
)

// observer is the key of the account's only record in observers.
const observer = "account"

func configOf(tx *state.Txn, clusterID string) autoshift {
	config, _ := configs.Get(tx, clusterID)
	config.Status = cmp.Or(config.Status, types.ZonalAutoshiftStatusDisabled)
	return config
}

// AutoshiftStatus is the zonalAutoshiftStatus of what is shifted by that id: ENABLED or DISABLED.
func AutoshiftStatus(tx *state.Txn, id string) string { return string(configOf(tx, id).Status) }

// configure edits how a resource is set up.
func (s *Service) configure(call *operation.Call, arn *string, edit func(*autoshift) error) (resource Resource,
	config autoshift, err error) {
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
		if resource, err = s.resource(tx, call, arn); err != nil {
			return err
		}
		config = configOf(tx, resource.ClusterID)
		if err := edit(&config); err != nil {
			return err
		}
		configs.Put(tx, resource.ClusterID, config)
		return nil
	})
	return resource, config, err
}

// unconfigured refuses what needs a practice run's configuration.
func unconfigured() error {
	return conflict(types.ConflictExceptionReasonPracticeConfigurationDoesNotExist, "",
		"The resource has no practice run configuration: CreatePracticeRunConfiguration makes one.")
}

func (s *Service) createPracticeRun(call *operation.Call,
	in *arczonalshift.CreatePracticeRunConfigurationInput) (*arczonalshift.CreatePracticeRunConfigurationOutput, error) {
	resource, config, err := s.configure(call, in.ResourceIdentifier, func(config *autoshift) error {
		if config.Practice != nil {
			return conflict(types.ConflictExceptionReasonPracticeConfigurationAlreadyExists, "",
				"The resource has a practice run configuration already.")
		}
		config.Practice = &types.PracticeRunConfiguration{OutcomeAlarms: in.OutcomeAlarms,
			BlockingAlarms: in.BlockingAlarms, BlockedDates: in.BlockedDates,
			BlockedWindows: in.BlockedWindows, AllowedWindows: in.AllowedWindows}
		return checkPractice(config.Practice)
	})
	return &arczonalshift.CreatePracticeRunConfigurationOutput{Arn: &resource.ARN, Name: &resource.Name,
		PracticeRunConfiguration: config.Practice,
		ZonalAutoshiftStatus:     config.Status}, err
}

func (s *Service) updatePracticeRun(call *operation.Call,
	in *arczonalshift.UpdatePracticeRunConfigurationInput) (*arczonalshift.UpdatePracticeRunConfigurationOutput, error) {
	resource, config, err := s.configure(call, in.ResourceIdentifier, func(config *autoshift) error {
		if config.Practice == nil {
			return unconfigured()
		}
		for _, list := range []struct {
			given []string
			own   *[]string
		}{{in.AllowedWindows, &config.Practice.AllowedWindows}, {in.BlockedDates, &config.Practice.BlockedDates},
			{in.BlockedWindows, &config.Practice.BlockedWindows}} {
			if list.given != nil { // an empty list takes away what was there
				*list.own = list.given
			}
		}
		if in.OutcomeAlarms != nil {
			config.Practice.OutcomeAlarms = in.OutcomeAlarms
		}
		if in.BlockingAlarms != nil {
			config.Practice.BlockingAlarms = in.BlockingAlarms
		}
		return checkPractice(config.Practice)
	})
	return &arczonalshift.UpdatePracticeRunConfigurationOutput{Arn: &resource.ARN, Name: &resource.Name,
		PracticeRunConfiguration: config.Practice,
		ZonalAutoshiftStatus:     config.Status}, err
}

// checkPractice refuses days that are none, and windows that both allow and block.
func checkPractice(config *types.PracticeRunConfiguration) error {
	for _, day := range config.BlockedDates {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return invalid(types.ValidationExceptionReasonInvalidPracticeBlocker,
				"The blocked date %s is no day of the calendar.", day)
		}
	}
	if len(config.AllowedWindows) > 0 && len(config.BlockedWindows) > 0 {
		return invalid(types.ValidationExceptionReasonConflictingPracticeWindows,
			"A practice run has allowed windows or blocked windows, not both.")
	}
	return nil
}

func (s *Service) deletePracticeRun(call *operation.Call,
	in *arczonalshift.DeletePracticeRunConfigurationInput) (*arczonalshift.DeletePracticeRunConfigurationOutput, error) {
	resource, config, err := s.configure(call, in.ResourceIdentifier, func(config *autoshift) error {
		switch {
		case config.Practice == nil:
			return unconfigured()
		case config.Status == types.ZonalAutoshiftStatusEnabled:
			return conflict(types.ConflictExceptionReasonAutoshiftEnabled, "",
				"Zonal autoshift is enabled for the resource: disable it first.")
		}
		config.Practice = nil
		return nil
	})
	return &arczonalshift.DeletePracticeRunConfigurationOutput{Arn: &resource.ARN, Name: &resource.Name,
		ZonalAutoshiftStatus: config.Status}, err
}

func (s *Service) updateAutoshift(call *operation.Call,
	in *arczonalshift.UpdateZonalAutoshiftConfigurationInput) (*arczonalshift.UpdateZonalAutoshiftConfigurationOutput,
	error) {
	resource, config, err := s.configure(call, in.ResourceIdentifier, func(config *autoshift) error {
		if config.Practice == nil {
			return unconfigured()
		}
		config.Status = in.ZonalAutoshiftStatus
		return nil
	})
	return &arczonalshift.UpdateZonalAutoshiftConfigurationOutput{ResourceIdentifier: &resource.ARN,
		ZonalAutoshiftStatus: config.Status}, err
}

// mayPractice refuses a practice run that the resource is not set up for, or has blocked for today. Windows and alarms
// are not looked at.
func (s *Service) mayPractice(tx *state.Txn, resource Resource) error {
	config := configOf(tx, resource.ClusterID)
	if config.Practice == nil {
		return unconfigured()
	}
	for _, day := range config.Practice.BlockedDates {
		if day == s.now().Format(time.DateOnly) {
			return conflict(types.ConflictExceptionReasonPracticeInBlockedDates, "", "Practice runs are blocked on %s.", day)
		}
	}
	return nil
}

func (s *Service) startPracticeRun(call *operation.Call,
	in *arczonalshift.StartPracticeRunInput) (*arczonalshift.StartPracticeRunOutput, error) {
	shift, arn, err := s.start(call, in.ResourceIdentifier, aws.ToString(in.AwayFrom), aws.ToString(in.Comment),
		practiceLength, true)
	return &arczonalshift.StartPracticeRunOutput{ZonalShiftId: &shift.ID, ResourceIdentifier: &arn,
		AwayFrom: in.AwayFrom, Comment: in.Comment,
		StartTime: &shift.StartedAt, ExpiryTime: &shift.ExpiresAt, Status: types.ZonalShiftStatusActive}, err
}

func (s *Service) cancelPracticeRun(call *operation.Call,
	in *arczonalshift.CancelPracticeRunInput) (*arczonalshift.CancelPracticeRunOutput, error) {
	shift, resource, err := s.changeShift(call, in.ZonalShiftId, true, s.end)
	return &arczonalshift.CancelPracticeRunOutput{ZonalShiftId: &shift.ID, ResourceIdentifier: &resource.ARN,
		AwayFrom: aws.String(s.zoneID(shift.Zone)),
		Comment:  &shift.Comment, StartTime: &shift.StartedAt, ExpiryTime: &shift.ExpiresAt, Status: s.status(shift)}, err
}

// listAutoshifts is empty: AWS starts them, and nobody does here.
func (s *Service) listAutoshifts(call *operation.Call,
	_ *arczonalshift.ListAutoshiftsInput) (*arczonalshift.ListAutoshiftsOutput, error) {
	return &arczonalshift.ListAutoshiftsOutput{Items: []types.AutoshiftSummary{}},
		call.Authorize(wire.RestJSON, Name+":ListAutoshifts", "*")
}

func (s *Service) observerStatus(call *operation.Call,
	_ *arczonalshift.GetAutoshiftObserverNotificationStatusInput) (*arczonalshift.GetAutoshiftObserverNotificationStatusOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
		return nil, err
	}
	out := &arczonalshift.GetAutoshiftObserverNotificationStatusOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		status, _ := observers.Get(tx, observer)
		out.Status = cmp.Or(status, types.AutoshiftObserverNotificationStatusDisabled)
		return nil
	})
}

func (s *Service) observe(call *operation.Call,
	in *arczonalshift.UpdateAutoshiftObserverNotificationStatusInput) (*arczonalshift.UpdateAutoshiftObserverNotificationStatusOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
		return nil, err
	}
	return &arczonalshift.UpdateAutoshiftObserverNotificationStatusOutput{Status: in.Status},
		s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
			observers.Put(tx, observer, in.Status)
			return nil
		})
}
