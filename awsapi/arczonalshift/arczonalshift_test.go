package arczonalshift_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	arc "github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

const (
	clusterID = "0123456789ABCDEF0123456789ABCDEF"
	demo      = "arn:aws:eks:us-east-1:111122223333:cluster/demo"
)

type world struct {
	*apitest.World
	*testing.T
	*arc.Client
}

// newWorld is a region with the cluster demo, whose zonal shift is enabled.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	w.World = apitest.New(t, func(tx *state.Txn) {
		region.Clusters.Put(tx, clusterID, region.Cluster{ID: clusterID, Name: "demo", Status: "ACTIVE", Version: "1.36"})
	})
	w.Client = arc.NewFromConfig(w.Config("admin"))
	w.enable(true)
	return w
}

func (w *world) enable(enabled bool) {
	w.Helper()
	_, err := eks.NewFromConfig(w.Config("admin")).UpdateClusterConfig(w.Context(),
		&eks.UpdateClusterConfigInput{Name: aws.String("demo"),
			ZonalShiftConfig: &ekstypes.ZonalShiftConfigRequest{Enabled: &enabled}})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) start(expiresIn string) (*arc.StartZonalShiftOutput, error) {
	return w.StartZonalShift(w.Context(),
		&arc.StartZonalShiftInput{ResourceIdentifier: aws.String(demo), AwayFrom: aws.String("use1-az2"),
			Comment: aws.String("test"), ExpiresIn: &expiresIn})
}

func (w *world) fails(err error, code, words string) {
	w.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), words) {
		w.Errorf("got %v, want %s with %q", err, code, words)
	}
}

// active are the zones that are shifted by the records, as the zones read them.
func (w *world) active(now time.Time) (zones []string) {
	w.Helper()
	if err := w.View(func(tx *state.Txn) error {
		zones = nil
		for _, shift := range region.ShiftsOf(tx, clusterID) {
			if shift.Active(now) {
				zones = append(zones, shift.Zone)
			}
		}
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	return zones
}

func TestShiftLastsUntilItExpiresOrIsCanceled(t *testing.T) {
	w := newWorld(t)
	made, err := w.start("30m")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.active(time.Now()); len(got) != 1 || got[0] != "us-east-1b" ||
		made.Status != types.ZonalShiftStatusActive {
		t.Errorf("shifted: %v, answer %+v", got, made)
	}
	if got := w.active(made.ExpiryTime.Add(time.Second)); len(got) != 0 {
		t.Errorf("after its end: %v", got)
	}
	resource, err := w.GetManagedResource(t.Context(), &arc.GetManagedResourceInput{ResourceIdentifier: aws.String(demo)})
	if err != nil || resource.AppliedWeights["use1-az2"] != 0 || resource.AppliedWeights["use1-az1"] != 1 ||
		len(resource.ZonalShifts) != 1 {
		t.Errorf("got %+v, %v", resource, err)
	}
	_, err = w.start("1h")
	w.fails(err, "ConflictException", "already an active zonal shift")
	longer, err := w.UpdateZonalShift(t.Context(),
		&arc.UpdateZonalShiftInput{ZonalShiftId: made.ZonalShiftId, ExpiresIn: aws.String("72h"),
			Comment: aws.String("longer")})
	if err != nil || !longer.ExpiryTime.After(*made.ExpiryTime) || *longer.Comment != "longer" {
		t.Errorf("got %+v, %v", longer, err)
	}
	canceled, err := w.CancelZonalShift(t.Context(), &arc.CancelZonalShiftInput{ZonalShiftId: made.ZonalShiftId})
	if err != nil || canceled.Status != types.ZonalShiftStatusCanceled || len(w.active(time.Now())) != 0 {
		t.Errorf("got %+v, %v", canceled, err)
	}
	_, err = w.CancelZonalShift(t.Context(), &arc.CancelZonalShiftInput{ZonalShiftId: made.ZonalShiftId})
	w.fails(err, "ConflictException", "is not active")
	list, err := w.ListZonalShifts(t.Context(), &arc.ListZonalShiftsInput{Status: types.ZonalShiftStatusCanceled})
	if err != nil || len(list.Items) != 1 || *list.Items[0].ZonalShiftId != *made.ZonalShiftId {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestOnlyEnabledClustersAreShifted(t *testing.T) {
	w := newWorld(t)
	if _, err := w.start("30m"); err != nil {
		t.Fatal(err)
	}
	w.enable(false)
	if got := w.active(time.Now()); len(got) != 0 {
		t.Errorf("disabled, and still shifted: %v", got)
	}
	_, err := w.start("30m")
	w.fails(err, "ResourceNotFoundException", "zonalShiftConfig enabled")
	list, err := w.ListManagedResources(t.Context(), &arc.ListManagedResourcesInput{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestBadShiftsAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		in   arc.StartZonalShiftInput
		want string
	}{
		"too long": {arc.StartZonalShiftInput{ExpiresIn: aws.String("73h")}, "at most 3 days"},
		"no length": {arc.StartZonalShiftInput{ExpiresIn: aws.String("soon")},
			"Value 'soon' at 'expiresIn' failed to satisfy constraint"},
		"zone name": {arc.StartZonalShiftInput{AwayFrom: aws.String("us-east-1b")},
			`"us-east-1b" is not the id of an Availability Zone`},
		"short name": {arc.StartZonalShiftInput{ResourceIdentifier: aws.String("demo")},
			"'resourceIdentifier' failed to satisfy constraint"},
	} {
		t.Run(name, func(t *testing.T) {
			in := c.in
			for _, field := range []struct {
				at    **string
				usual string
			}{{&in.ResourceIdentifier, demo}, {&in.AwayFrom, "use1-az2"}, {&in.ExpiresIn, "1h"}, {&in.Comment, "test"}} {
				if *field.at == nil {
					*field.at = aws.String(field.usual)
				}
			}
			_, err := w.StartZonalShift(w.Context(), &in)
			w.fails(err, "ValidationException", c.want)
		})
	}
	_, err := arc.NewFromConfig(w.Config("nobody")).StartZonalShift(t.Context(),
		&arc.StartZonalShiftInput{ResourceIdentifier: aws.String(demo),
			AwayFrom: aws.String("use1-az2"), ExpiresIn: aws.String("1h"), Comment: aws.String("")})
	w.fails(err, "AccessDeniedException", "arc-zonal-shift:StartZonalShift")
	_, err = w.CancelZonalShift(t.Context(), &arc.CancelZonalShiftInput{ZonalShiftId: aws.String("none-such")})
	w.fails(err, "ResourceNotFoundException", "none-such")
	answer, err := http.Get(w.URL + "/zonalshifts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("unsigned: %s", answer.Status)
	}
}

func TestPracticeRunNeedsItsConfiguration(t *testing.T) {
	w := newWorld(t)
	practice := func() (*arc.StartPracticeRunOutput, error) {
		return w.StartPracticeRun(t.Context(),
			&arc.StartPracticeRunInput{ResourceIdentifier: aws.String(demo), AwayFrom: aws.String("use1-az1"),
				Comment: aws.String("x")})
	}
	_, err := practice()
	w.fails(err, "ConflictException", "no practice run configuration")
	alarms := []types.ControlCondition{{AlarmIdentifier: aws.String("arn:aws:cloudwatch:us-east-1:111122223333:alarm:x"),
		Type: types.ControlConditionTypeCloudwatch}}
	today := time.Now().UTC().Format(time.DateOnly)
	if _, err := w.CreatePracticeRunConfiguration(t.Context(),
		&arc.CreatePracticeRunConfigurationInput{ResourceIdentifier: aws.String(demo), OutcomeAlarms: alarms,
			BlockedDates: []string{today}}); err != nil {
		t.Fatal(err)
	}
	_, err = practice()
	w.fails(err, "ConflictException", "blocked on "+today)
	if _, err := w.UpdatePracticeRunConfiguration(t.Context(),
		&arc.UpdatePracticeRunConfigurationInput{ResourceIdentifier: aws.String(demo),
			BlockedDates: []string{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateZonalAutoshiftConfiguration(t.Context(),
		&arc.UpdateZonalAutoshiftConfigurationInput{ResourceIdentifier: aws.String(demo),
			ZonalAutoshiftStatus: "ENABLED"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeletePracticeRunConfiguration(t.Context(),
		&arc.DeletePracticeRunConfigurationInput{ResourceIdentifier: aws.String(demo)})
	w.fails(err, "ConflictException", "disable it first")
	run, err := practice()
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CancelZonalShift(t.Context(), &arc.CancelZonalShiftInput{ZonalShiftId: run.ZonalShiftId})
	w.fails(err, "ValidationException", "CancelPracticeRun ends it")
	if _, err := w.CancelPracticeRun(t.Context(),
		&arc.CancelPracticeRunInput{ZonalShiftId: run.ZonalShiftId}); err != nil {
		t.Error(err)
	}
	list, err := w.ListZonalShifts(t.Context(), &arc.ListZonalShiftsInput{})
	if err != nil || len(list.Items) != 1 || list.Items[0].PracticeRunOutcome != types.PracticeRunOutcomeInterrupted {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestGroupsAreShiftedWhereTheySaySo(t *testing.T) {
	w := newWorld(t)
	const group = "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:1:autoScalingGroupName/g"
	put := func(enabled bool) {
		w.Write(func(tx *state.Txn) {
			region.AutoScalingGroups.Put(tx, "g", region.AutoScalingGroup{Name: "g", ARN: group,
				GroupOptions: region.GroupOptions{ZoneImpairment: &region.ZoneImpairmentPolicy{ZonalShift: enabled}}})
		})
	}
	start := func() error {
		_, err := w.StartZonalShift(w.Context(), &arc.StartZonalShiftInput{ResourceIdentifier: aws.String(group),
			AwayFrom: aws.String("use1-az2"), Comment: aws.String("test"), ExpiresIn: aws.String("1h")})
		return err
	}
	put(false)
	w.fails(start(), "ResourceNotFoundException", "Auto Scaling group")
	put(true)
	if err := start(); err != nil {
		t.Fatal(err)
	}
	w.View(func(tx *state.Txn) error {
		if shifts := region.ShiftsOf(tx, group); len(shifts) != 1 || shifts[0].Zone != "us-east-1b" {
			t.Errorf("got %+v", shifts)
		}
		return nil
	})
}
