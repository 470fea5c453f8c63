package ec2

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// settle brings all instances of a service on until none is in a state that passes, as zones' agents do.
func settle(t *testing.T, s *Service) {
	t.Helper()
	for range 3 {
		err := s.State.Update(context.Background(), func(tx *state.Txn) error {
			for _, v := range region.Instances.List(tx) {
				if _, err := s.Advance(tx, v.ID, time.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run launches one instance by RunInstances and gives its id.
func run(t *testing.T, s *Service, params ...string) string {
	t.Helper()
	body := must(t, s, "RunInstances", append([]string{"ImageId=" + someImage, "InstanceType=m5.large", "MinCount=1",
		"MaxCount=1"}, params...)...)
	return element(t, body, "instanceId")
}

func TestAnInstanceHasALife(t *testing.T) {
	s := newService()
	instanceID := run(t, s)
	stateNow := func() string {
		body := must(t, s, "DescribeInstances", "InstanceId.1="+instanceID)
		return element(t, body[strings.Index(body, "<instanceState>"):], "name")
	}
	for _, step := range []struct{ call, then, settled string }{
		{"", "pending", "running"}, {"StopInstances", "stopping", "stopped"}, {"StartInstances", "pending", "running"},
		{"RebootInstances", "running", "running"}, {"TerminateInstances", "shutting-down", "terminated"},
		{"TerminateInstances", "terminated", "terminated"},
	} {
		if step.call != "" {
			must(t, s, step.call, "InstanceId.1="+instanceID)
		}
		if got := stateNow(); got != step.then {
			t.Errorf("after %s it is %s, want %s", step.call, got, step.then)
		}
		settle(t, s)
		if got := stateNow(); got != step.settled {
			t.Errorf("some time after %s it is %s, want %s", step.call, got, step.settled)
		}
	}
	body := must(t, s, "DescribeInstances", "InstanceId.1="+instanceID)
	if !regexp.MustCompile(`<reason>User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)</reason>`).MatchString(body) ||
		strings.Contains(body, "<vpcId>") || strings.Contains(body, "<volumeId>") {
		t.Errorf("a terminated instance is shown as %s", body)
	}
	for _, call := range []string{"StopInstances", "StartInstances", "RebootInstances"} {
		if _, err := ask(s, call, "InstanceId.1="+instanceID); code(err) != "IncorrectInstanceState" {
			t.Errorf("%s of a terminated instance: got %v", call, err)
		}
	}
	if err := s.State.Update(t.Context(), func(tx *state.Txn) error { return s.Forget(tx, instanceID) }); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(s, "DescribeInstances", "InstanceId.1="+instanceID); code(err) != "InvalidInstanceID.NotFound" {
		t.Errorf("a forgotten instance: got %v", err)
	}
	s.State.View(func(tx *state.Txn) error {
		if n := len(detailsTable.List(tx)); n > 0 {
			t.Errorf("%d details are left", n)
		}
		return nil
	})
}

func TestRefusedLaunches(t *testing.T) {
	s := newService()
	own := element(t, must(t, s, "CreateVpc", "CidrBlock=10.9.0.0/16"), "vpcId")
	group := element(t, must(t, s, "CreateSecurityGroup", "GroupName=g", "GroupDescription=d", "VpcId="+own), "groupId")
	small := element(t, must(t, s, "CreateSubnet", "VpcId="+own, "CidrBlock=10.9.0.0/28"), "subnetId")
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		region.Capacities.Put(tx, "us-east-1a/m5.large", region.Capacity{Zone: "us-east-1a", Type: "m5.large", Instances: 1})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ params, want string }{
		{"MaxCount=0", "InvalidParameterValue: "},
		{"InstanceType=m5.tiny", "InvalidParameterValue: Invalid value 'm5.tiny' for InstanceType."},
		{"InstanceType=m6g.large", "InvalidParameterValue: The architecture 'arm64' of the specified instance type does not match"},
		{"ImageId=ami-00000000000000000", "InvalidAMIID.NotFound: The image id '[ami-00000000000000000]' does not exist"},
		{"ImageId=", "MissingParameter: "},
		{"KeyName=none", "InvalidKeyPair.NotFound: The key pair 'none' does not exist"},
		{"UserData=?", "InvalidParameterValue: Invalid BASE64 encoding of user data."},
		{"UserData=" + base64.StdEncoding.EncodeToString(make([]byte, 16385)), "InvalidParameterValue: User data is limited to 16384 bytes."},
		{"IamInstanceProfile.Name=none", "InvalidParameterValue: Value (none) for parameter iamInstanceProfile.name is invalid. " +
			"Invalid IAM Instance Profile name"},
		{"SubnetId=subnet-00000000000000000", "InvalidSubnetID.NotFound: "},
		{"SecurityGroupId.1=" + group, "InvalidParameter: Security group " + group + " and subnet "},
		{"SecurityGroupId.1=sg-00000000000000000", "InvalidGroup.NotFound: "},
		{"Placement.AvailabilityZone=us-east-1x", "InvalidParameterValue: Invalid availability zone: [us-east-1x]"},
		{"Placement.AvailabilityZone=us-east-1a&MinCount=2&MaxCount=2", "InsufficientInstanceCapacity: We currently do not have " +
			"sufficient m5.large capacity in the Availability Zone you requested (us-east-1a). Our system will be working on " +
			"provisioning additional capacity. You can currently get m5.large capacity by not specifying an Availability Zone in " +
			"your request or choosing us-east-1b, us-east-1c."},
		{"Placement.AvailabilityZone=us-east-1a&MinCount=2&MaxCount=2&InstanceMarketOptions.MarketType=spot",
			"InsufficientInstanceCapacity: There is no Spot capacity available that matches your request."},
		{"SubnetId=" + small + "&InstanceType=c5.large&MinCount=12&MaxCount=12", "InsufficientFreeAddressesInSubnet: There are not " +
			"enough free addresses in subnet '" + small + "' to satisfy the requested number of instances."},
		{"LaunchTemplate.LaunchTemplateName=none", "InvalidLaunchTemplateName.NotFoundException: "},
		{"TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=a", "InvalidParameterValue: 'vpc' is not a valid taggable"},
		{"TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=aws:a", "InvalidParameterValue: Tag keys starting with 'aws:'"},
		{"NetworkInterface.1.DeviceIndex=0&SubnetId=" + small, "InvalidParameterCombination: Network interfaces and an instance-level"},
		{"DryRun=true", "DryRunOperation: "},
	} {
		params := append([]string{"ImageId=" + someImage, "InstanceType=m5.large", "MinCount=1", "MaxCount=1"},
			strings.Split(tt.params, "&")...)
		if _, err := ask(s, "RunInstances", params...); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v\nwant %s", tt.params, err, tt.want)
		}
	}
	s.State.View(func(tx *state.Txn) error {
		if n := len(region.Instances.List(tx)) + len(detailsTable.List(tx)); n > 0 {
			t.Errorf("refused launches left %d records", n)
		}
		return nil
	})
}

func TestATokenLaunchesOnce(t *testing.T) {
	s := newService()
	first := run(t, s, "ClientToken=t")
	if again := run(t, s, "ClientToken=t"); again != first {
		t.Errorf("the second call launched %s", again)
	}
	_, err := ask(s, "RunInstances", "ImageId="+someImage, "InstanceType=c5.large", "MinCount=1", "MaxCount=1", "ClientToken=t")
	if code(err) != "IdempotentParameterMismatch" {
		t.Errorf("another call with the token: got %v", err)
	}
}

func TestProtectedInstancesStay(t *testing.T) {
	s := newService()
	instanceID := run(t, s, "DisableApiTermination=true")
	settle(t, s)
	_, err := ask(s, "TerminateInstances", "InstanceId.1="+instanceID)
	want := "OperationNotPermitted: The instance '" + instanceID + "' may not be terminated. Modify its 'disableApiTermination' " +
		"instance attribute and try again."
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	must(t, s, "ModifyInstanceAttribute", "InstanceId="+instanceID, "DisableApiTermination.Value=false")
	must(t, s, "TerminateInstances", "InstanceId.1="+instanceID)
}

func TestAttributesOfInstances(t *testing.T) {
	s := newService()
	instanceID := run(t, s, "UserData=YQ==")
	settle(t, s)
	change := func(params ...string) error {
		_, err := ask(s, "ModifyInstanceAttribute", append([]string{"InstanceId=" + instanceID}, params...)...)
		return err
	}
	if err := change("InstanceType.Value=c5.large"); code(err) != "IncorrectInstanceState" {
		t.Errorf("a running instance's type: got %v", err)
	}
	must(t, s, "StopInstances", "InstanceId.1="+instanceID)
	settle(t, s)
	for _, params := range []string{"InstanceType.Value=c5.large", "UserData.Value=Yg==", "SourceDestCheck.Value=false",
		"InstanceInitiatedShutdownBehavior.Value=terminate", "DisableApiStop.Value=true", "EnaSupport.Value=false"} {
		if err := change(params); err != nil {
			t.Errorf("%s: %v", params, err)
		}
	}
	for attribute, want := range map[string]string{"instanceType": "c5.large", "userData": "Yg==", "sourceDestCheck": "false",
		"instanceInitiatedShutdownBehavior": "terminate", "disableApiStop": "true", "disableApiTermination": "false",
		"rootDeviceName": "/dev/xvda", "ebsOptimized": "true", "enaSupport": "false"} {
		body := must(t, s, "DescribeInstanceAttribute", "InstanceId="+instanceID, "Attribute="+attribute)
		if got := element(t, body, "value"); got != want {
			t.Errorf("%s is %s, want %s", attribute, got, want)
		}
	}
	if _, err := ask(s, "StartInstances", "InstanceId.1="+instanceID); code(err) != "InvalidParameterCombination" {
		t.Errorf("a type that needs ENA starts without it: %v", err)
	}
	must(t, s, "ModifyInstanceAttribute", "InstanceId="+instanceID, "EnaSupport.Value=true")
	must(t, s, "StartInstances", "InstanceId.1="+instanceID)
	if err := change("EnaSupport.Value=false"); code(err) != "IncorrectInstanceState" {
		t.Errorf("ENA support of a pending instance: got %v", err)
	}
}

func TestStatusChecksFollowTheInstance(t *testing.T) {
	s := newService()
	now := time.Now()
	s.Now, s.StatusChecks = func() time.Time { return now }, time.Minute
	instanceID := run(t, s)
	status := func(params ...string) string {
		body := must(t, s, "DescribeInstanceStatus", append([]string{"InstanceId.1=" + instanceID}, params...)...)
		if at := strings.Index(body, "<instanceStatus>"); at >= 0 {
			return element(t, body[at:], "status")
		}
		return ""
	}
	if got := status(); got != "" {
		t.Errorf("a pending instance is among the running ones, %s", got)
	}
	if got := status("IncludeAllInstances=true"); got != "not-applicable" {
		t.Errorf("a pending instance: %s", got)
	}
	settle(t, s)
	if got := status(); got != "initializing" {
		t.Errorf("at first: %s", got)
	}
	now = now.Add(2 * time.Minute)
	if got := status(); got != "ok" {
		t.Errorf("after a while: %s", got)
	}
	s.State.Update(t.Context(), func(tx *state.Txn) error { region.ImpairInstance(tx, instanceID, now); return nil })
	if got := status(); got != "impaired" {
		t.Errorf("with its zone gone: %s", got)
	}
}
