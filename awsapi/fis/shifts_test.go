package fis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	arc "github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	arctypes "github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/region"
	"tripod/state"
)

const demo = "arn:aws:eks:us-east-1:" + account + ":cluster/demo"

// newShifts is a world with a cluster whose traffic can be moved away, by people, practice runs and AWS itself.
func newShifts(t *testing.T) (*world, *arc.Client) {
	t.Helper()
	w := newWorld(t)
	w.Write(func(tx *state.Txn) {
		region.Clusters.Put(tx, "C", region.Cluster{ID: "C", Name: "demo", Status: region.ClusterActive, Version: "1.36"})
	})
	shifts := arc.NewFromConfig(w.Config("admin"))
	_, err := eks.NewFromConfig(w.Config("admin")).UpdateClusterConfig(t.Context(), &eks.UpdateClusterConfigInput{Name: aws.String("demo"),
		ZonalShiftConfig: &ekstypes.ZonalShiftConfigRequest{Enabled: aws.Bool(true)}})
	if err == nil {
		_, err = shifts.CreatePracticeRunConfiguration(t.Context(), &arc.CreatePracticeRunConfigurationInput{ResourceIdentifier: aws.String(demo),
			OutcomeAlarms: []arctypes.ControlCondition{{AlarmIdentifier: aws.String(alarm), Type: arctypes.ControlConditionTypeCloudwatch}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w, shifts
}

func autoshift(t *testing.T, shifts *arc.Client, status arctypes.ZonalAutoshiftStatus) {
	t.Helper()
	_, err := shifts.UpdateZonalAutoshiftConfiguration(t.Context(), &arc.UpdateZonalAutoshiftConfigurationInput{
		ResourceIdentifier: aws.String(demo), ZonalAutoshiftStatus: status})
	if err != nil {
		t.Fatal(err)
	}
}

// shifting is a template that moves the cluster's traffic away from a zone.
func shifting(token, status string) *fis.CreateExperimentTemplateInput {
	in := throttling()
	in.ClientToken = &token
	in.Targets = map[string]types.CreateExperimentTemplateTargetInput{"all": {ResourceType: aws.String("aws:arc:zonal-shift-managed-resource"),
		ResourceArns: []string{demo}, SelectionMode: aws.String("ALL")}}
	in.Actions = map[string]types.CreateExperimentTemplateActionInput{"shift": {ActionId: aws.String("aws:arc:start-zonal-autoshift"),
		Targets: map[string]string{"ManagedResources": "all"}, Parameters: map[string]string{"duration": "PT25M",
			"availabilityZoneIdentifier": "use1-az1", "managedResourceTypes": "EKS,ALB"}}}
	if status != "" {
		in.Actions["shift"].Parameters["zonalAutoshiftStatus"] = status
	}
	return in
}

// kinds are the cluster's shifts that are active, by their kinds, and the outcomes of those that are not.
func kinds(t *testing.T, shifts *arc.Client) (active, ended []string) {
	t.Helper()
	got, err := shifts.ListZonalShifts(t.Context(), &arc.ListZonalShiftsInput{ResourceIdentifier: aws.String(demo)})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range got.Items {
		if one.Status == arctypes.ZonalShiftStatusActive {
			active = append(active, string(one.ShiftType))
		} else {
			ended = append(ended, string(one.ShiftType)+" "+string(one.Status)+" "+string(one.PracticeRunOutcome))
		}
	}
	return active, ended
}

// TestPrecedenceOfZonalShifts: an experiment interrupts a practice run, and fails when a person shifts.
func TestPrecedenceOfZonalShifts(t *testing.T) {
	w, shifts := newShifts(t)
	is := func(active string, ended ...string) {
		t.Helper()
		if a, e := kinds(t, shifts); strings.Join(a, ",") != active || strings.Join(e, ",") != strings.Join(ended, ",") {
			t.Errorf("got the active shifts %q and the ended ones %q, want %q and %q", a, e, active, ended)
		}
	}
	autoshift(t, shifts, arctypes.ZonalAutoshiftStatusEnabled)
	practice := &arc.StartPracticeRunInput{ResourceIdentifier: aws.String(demo), AwayFrom: aws.String("use1-az2"), Comment: aws.String("c")}
	if _, err := shifts.StartPracticeRun(t.Context(), practice); err != nil {
		t.Fatal(err)
	}
	is("PRACTICE_RUN")
	w.at = w.at.Add(time.Second)
	id := w.begin(shifting("one", ""), "")
	w.keep()
	w.is(id, types.ExperimentStatusRunning, running)
	is("FIS_EXPERIMENT", "PRACTICE_RUN CANCELED INTERRUPTED")
	_, err := shifts.StartPracticeRun(t.Context(), practice)
	fails(t, err, "ConflictException", "already an active zonal shift")
	managed, err := shifts.GetManagedResource(t.Context(), &arc.GetManagedResourceInput{ResourceIdentifier: aws.String(demo)})
	if err != nil || len(managed.ZonalShifts) != 1 {
		t.Fatalf("got %+v, %v", managed, err)
	}
	_, err = shifts.UpdateZonalShift(t.Context(), &arc.UpdateZonalShiftInput{ZonalShiftId: managed.ZonalShifts[0].ZonalShiftId,
		Comment: aws.String("mine")})
	fails(t, err, "ValidationException", "cannot be updated")

	w.at = w.at.Add(time.Second)
	if _, err := shifts.StartZonalShift(t.Context(), &arc.StartZonalShiftInput{ResourceIdentifier: aws.String(demo),
		AwayFrom: aws.String("use1-az3"), Comment: aws.String("mine"), ExpiresIn: aws.String("1h")}); err != nil {
		t.Fatal(err)
	}
	w.keep()
	got := w.is(id, types.ExperimentStatusFailed, failed)
	if got.State.Error == nil || !strings.Contains(*got.State.Reason, "was canceled") {
		t.Errorf("got %+v", got.State)
	}
	is("ZONAL_SHIFT", "PRACTICE_RUN CANCELED INTERRUPTED", "FIS_EXPERIMENT CANCELED ")
	id = w.begin(shifting("two", ""), "")
	w.keep()
	if got := w.is(id, types.ExperimentStatusFailed, failed); !strings.Contains(*got.State.Reason, "already an active zonal shift") {
		t.Errorf("got %+v", got.State)
	}
	is("ZONAL_SHIFT", "PRACTICE_RUN CANCELED INTERRUPTED", "FIS_EXPERIMENT CANCELED ")
}

// TestAutoshiftIsForThoseThatAllowIt, unless the action's zonalAutoshiftStatus says for whom else.
func TestAutoshiftIsForThoseThatAllowIt(t *testing.T) {
	w, shifts := newShifts(t)
	for status, want := range map[string]int{"": 0, "ENABLED": 0, "DISABLED": 1, "ANY": 1} {
		id := w.begin(shifting("t"+status, status), "")
		w.keep()
		got := w.is(id, types.ExperimentStatusRunning, running)
		active, _ := kinds(t, shifts)
		if says := strings.Contains(*got.Actions["shift"].State.Reason, "none of its targets"); len(active) != want || says != (want == 0) {
			t.Errorf("%q: got %q, and the state says %q", status, active, *got.Actions["shift"].State.Reason)
		}
		if _, err := w.StopExperiment(t.Context(), &fis.StopExperimentInput{Id: &id}); err != nil {
			t.Fatal(err)
		}
		w.keep()
		w.is(id, types.ExperimentStatusStopped, stopped)
	}
}
