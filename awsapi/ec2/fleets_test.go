package ec2

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// newTemplate makes the launch template nodes.
func newTemplate(t *testing.T, s *Service) {
	t.Helper()
	must(t, s, "CreateLaunchTemplate", "LaunchTemplateName=nodes", "LaunchTemplateData.ImageId="+someImage,
		"LaunchTemplateData.InstanceType=m5.large", "LaunchTemplateData.TagSpecification.1.ResourceType=instance",
		"LaunchTemplateData.TagSpecification.1.Tag.1.Key=a", "LaunchTemplateData.TagSpecification.1.Tag.1.Value=b")
}

// fleetOf asks for an instant fleet by the template nodes.
func fleetOf(t *testing.T, s *Service, params ...string) string {
	t.Helper()
	const config = "LaunchTemplateConfigs.1.LaunchTemplateSpecification."
	return must(t, s, "CreateFleet", append([]string{"Type=instant", config + "LaunchTemplateName=nodes",
		config + "Version=$Latest"}, params...)...)
}

func TestAFleetLaunchesWhereThereIsCapacity(t *testing.T) {
	s := newService()
	newTemplate(t, s)
	home := s.VPC.SubnetIDs()
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		for _, kind := range []string{"c5.large", ""} {
			region.Capacities.Put(tx, "us-east-1a/"+kind, region.Capacity{Zone: "us-east-1a", Type: kind})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const override = "LaunchTemplateConfigs.1.Overrides."
	body := fleetOf(t, s, "TargetCapacitySpecification.TotalTargetCapacity=2",
		"TargetCapacitySpecification.DefaultTargetCapacityType=spot", "SpotOptions.AllocationStrategy=price-capacity-optimized",
		override+"1.InstanceType=c5.large", override+"1.SubnetId="+home[0],
		override+"2.InstanceType=c5.large", override+"2.SubnetId="+home[1], override+"2.AvailabilityZone=us-east-1b",
		"TagSpecification.1.ResourceType=instance", "TagSpecification.1.Tag.1.Key=c", "TagSpecification.1.Tag.1.Value=d")
	for _, want := range []string{"<lifecycle>spot</lifecycle>", "<version>$Latest</version>", "<subnetId>" + home[1] + "</subnetId>",
		"<instanceType>c5.large</instanceType>", "<availabilityZone>us-east-1b</availabilityZone>"} {
		if at := strings.Index(body, "<fleetInstanceSet>"); !strings.Contains(body[at:], want) {
			t.Errorf("the instances lack %s: %s", want, body)
		}
	}
	ids := regexp.MustCompile(`<item>(i-[0-9a-f]+)</item>`).FindAllStringSubmatch(body, -1)
	if len(ids) != 2 {
		t.Fatalf("got %d instances, want 2: %s", len(ids), body)
	}
	s.State.View(func(tx *state.Txn) error {
		got := s.TagsOf(tx, ids[0][1])
		v, _ := region.Instances.Get(tx, ids[0][1])
		if got["a"] != "b" || got["c"] != "d" || got["aws:ec2:fleet-id"] != element(t, body, "fleetId") ||
			got["aws:ec2launchtemplate:version"] != "1" || !v.Launch.Spot || v.SubnetID != home[1] {
			t.Errorf("got %+v with tags %v", v, got)
		}
		return nil
	})
	none := fleetOf(t, s, "TargetCapacitySpecification.TotalTargetCapacity=1", override+"1.SubnetId="+home[0])
	if got := element(t, none, "errorCode"); got != "InsufficientInstanceCapacity" || !strings.Contains(none, "<lifecycle>on-demand<") ||
		strings.Contains(none, "<instanceIds>") {
		t.Errorf("without capacity: %s", none)
	}
}

func TestAFleetBelowItsMinimumLaunchesNothing(t *testing.T) {
	s := newService()
	newTemplate(t, s)
	s.State.Update(t.Context(), func(tx *state.Txn) error {
		region.Capacities.Put(tx, "us-east-1a/m5.large", region.Capacity{Zone: "us-east-1a", Type: "m5.large", Instances: 2})
		return nil
	})
	body := fleetOf(t, s, "TargetCapacitySpecification.TotalTargetCapacity=3", "OnDemandOptions.MinTargetCapacity=3",
		"LaunchTemplateConfigs.1.Overrides.1.SubnetId="+s.VPC.SubnetIDs()[0])
	s.State.View(func(tx *state.Txn) error {
		if n := len(region.Instances.List(tx)); n > 0 || !strings.Contains(body, "InsufficientInstanceCapacity") {
			t.Errorf("%d instances are there: %s", n, body)
		}
		return nil
	})
}

func TestPrioritiesAndPricesOrderPools(t *testing.T) {
	s := newService()
	newTemplate(t, s)
	const override = "LaunchTemplateConfigs.1.Overrides."
	pools := []string{"TargetCapacitySpecification.TotalTargetCapacity=1", override + "1.InstanceType=m5.4xlarge", override + "1.Priority=1",
		override + "2.InstanceType=m5.large", override + "2.Priority=2"}
	for strategy, want := range map[string]string{"lowest-price": "m5.large", "prioritized": "m5.4xlarge"} {
		body := fleetOf(t, s, append(pools, "OnDemandOptions.AllocationStrategy="+strategy)...)
		if got := element(t, body[strings.Index(body, "<instanceIds>"):], "instanceType"); got != want {
			t.Errorf("%s: got %s, want %s", strategy, got, want)
		}
	}
}

func TestFleetsAreShownAndDeleted(t *testing.T) {
	s := newService()
	newTemplate(t, s)
	body := fleetOf(t, s, "TargetCapacitySpecification.TotalTargetCapacity=1", "Type=maintain")
	fleetID := element(t, body, "fleetId")
	shown := must(t, s, "DescribeFleets", "FleetId.1="+fleetID)
	if got := element(t, shown, "fulfilledCapacity"); got != "1" || element(t, shown, "activityStatus") != "fulfilled" {
		t.Errorf("got %s", shown)
	}
	instanceID := element(t, must(t, s, "DescribeFleetInstances", "FleetId="+fleetID), "instanceId")
	deleted := must(t, s, "DeleteFleets", "FleetId.1="+fleetID, "FleetId.2=fleet-none", "TerminateInstances=true")
	if got := element(t, deleted, "currentFleetState"); got != "deleted_terminating" || element(t, deleted, "code") != "fleetIdDoesNotExist" {
		t.Errorf("got %s", deleted)
	}
	settle(t, s)
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error { return s.Forget(tx, instanceID) }); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(s, "DescribeFleets", "FleetId.1="+fleetID); code(err) != "InvalidFleetId.NotFound" {
		t.Errorf("the fleet of a forgotten instance: got %v", err)
	}
}

func TestSpotInstancesAreInterrupted(t *testing.T) {
	s := newService()
	var events []Event
	s.Events = func(_ *state.Txn, e Event) { events = append(events, e) }
	instanceID := run(t, s, "InstanceMarketOptions.MarketType=spot")
	settle(t, s)
	requests := must(t, s, "DescribeSpotInstanceRequests", "Filter.1.Name=instance-id", "Filter.1.Value.1="+instanceID)
	if got := element(t, requests, "state"); got != "active" {
		t.Errorf("its request is %s", got)
	}
	if _, err := ask(s, "StopInstances", "InstanceId.1="+instanceID); code(err) != "UnsupportedOperation" {
		t.Errorf("a one-time spot instance is stopped: %v", err)
	}
	now := time.Now()
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		events = nil
		if _, err := s.AdviseRebalance(tx, instanceID, now); err != nil {
			return err
		}
		if _, err := s.Interrupt(tx, instanceID, "terminate", now); err != nil {
			return err
		}
		if err := s.Reclaim(tx, instanceID, now.Add(time.Minute)); err != nil {
			return err
		}
		v, _ := region.Instances.Get(tx, instanceID)
		if v.State != region.InstanceRunning || v.Spot == nil || !v.Spot.At.Equal(now.Add(2*time.Minute)) || v.Spot.Action != "terminate" {
			t.Errorf("told: %+v", v)
		}
		return s.Reclaim(tx, instanceID, now.Add(2*time.Minute))
	})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	if got := strings.Join(types, ", "); got != RebalanceAdvice+", "+SpotInterruption+", "+StateChange {
		t.Errorf("events: %s", got)
	}
	settle(t, s)
	requests = must(t, s, "DescribeSpotInstanceRequests", "Filter.1.Name=instance-id", "Filter.1.Value.1="+instanceID)
	if element(t, requests, "state") != "closed" || !strings.Contains(requests, "instance-terminated-no-capacity") {
		t.Errorf("its request then: %s", requests)
	}
}
