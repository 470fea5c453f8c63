package ec2

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// settleVolumes brings volumes and snapshots on, as zones' agents do.
func settleVolumes(t *testing.T, s *Service) {
	t.Helper()
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		for _, v := range region.Volumes.List(tx) {
			s.SettleVolume(tx, v.ID)
		}
		for _, v := range region.Snapshots.List(tx) {
			region.SettleSnapshot(tx, v.ID, time.Now())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// zoneOf is the zone of an instance.
func zoneOf(t *testing.T, s *Service, instanceID string) string {
	t.Helper()
	return element(t, must(t, s, "DescribeInstances", "InstanceId.1="+instanceID), "availabilityZone")
}

func TestAVolumeHasALife(t *testing.T) {
	s := newService()
	instanceID := run(t, s)
	settle(t, s)
	made := must(t, s, "CreateVolume", "AvailabilityZone="+zoneOf(t, s, instanceID), "Size=10", "VolumeType=gp3",
		"TagSpecification.1.ResourceType=volume", "TagSpecification.1.Tag.1.Key=Name", "TagSpecification.1.Tag.1.Value=data")
	volumeID := element(t, made, "volumeId")
	volume, at := "VolumeId="+volumeID, "InstanceId="+instanceID
	now := func() (status, attachment string) {
		body := must(t, s, "DescribeVolumes", "VolumeId.1="+volumeID)
		before, attachments, _ := strings.Cut(body, "<attachmentSet>")
		if strings.Contains(attachments, "<instanceId>") {
			attachment = element(t, attachments, "status")
		}
		return element(t, before, "status"), attachment
	}
	for _, step := range []struct {
		call                   string
		params                 []string
		answer, then, attached string // as the call says, and when it is settled
	}{
		{"", nil, "", "available", ""},
		{"AttachVolume", []string{volume, at, "Device=/dev/sdf"}, "attaching", "in-use", "attached"},
		{"DetachVolume", []string{volume}, "detaching", "available", ""},
		{"AttachVolume", []string{volume, at, "Device=/dev/sdf"}, "attaching", "in-use", "attached"},
	} {
		if step.call != "" {
			if got := element(t, must(t, s, step.call, step.params...), "status"); got != step.answer {
				t.Errorf("%s answers %s, want %s", step.call, got, step.answer)
			}
		}
		settleVolumes(t, s)
		if status, attached := now(); status != step.then || attached != step.attached {
			t.Errorf("after %s it is %s %s, want %s %s", step.call, status, attached, step.then, step.attached)
		}
	}
	body := must(t, s, "DescribeInstances", "InstanceId.1="+instanceID)
	if !strings.Contains(body, "<volumeId>"+volumeID) || !strings.Contains(body, "<deviceName>/dev/sdf</deviceName>") {
		t.Errorf("the instance does not show its volume: %s", body)
	}
	must(t, s, "TerminateInstances", "InstanceId.1="+instanceID)
	settle(t, s)
	if status, attached := now(); status != "available" || attached != "" {
		t.Errorf("after the end of its instance it is %s %s", status, attached)
	}
	must(t, s, "DeleteVolume", volume)
	settleVolumes(t, s)
	if _, err := ask(s, "DescribeVolumes", "VolumeId.1="+volumeID); code(err) != "InvalidVolume.NotFound" {
		t.Errorf("the deleted volume: got %v", err)
	}
	s.State.View(func(tx *state.Txn) error {
		if _, found := tags.Get(tx, volumeID); found {
			t.Error("its tags are left")
		}
		return nil
	})
}

// TestVolumesOfALaunchGoOrStayWithTheirInstance: by DeleteOnTermination, which can be changed, also of one that a call
// attached.
func TestVolumesOfALaunchGoOrStayWithTheirInstance(t *testing.T) {
	s := newService()
	instanceID := run(t, s, "BlockDeviceMapping.1.DeviceName=/dev/sdb", "BlockDeviceMapping.1.Ebs.VolumeSize=7",
		"BlockDeviceMapping.1.Ebs.DeleteOnTermination=false", "BlockDeviceMapping.2.DeviceName=/dev/sdc",
		"BlockDeviceMapping.2.Ebs.VolumeSize=8", "BlockDeviceMapping.3.DeviceName=/dev/sdd", "BlockDeviceMapping.3.Ebs.VolumeSize=9")
	settle(t, s)
	zone := zoneOf(t, s, instanceID)
	sized := func(gib int) string {
		return element(t, must(t, s, "DescribeVolumes", "Filter.1.Name=size", fmt.Sprintf("Filter.1.Value.1=%d", gib)), "volumeId")
	}
	kept, gone, moved := sized(7), sized(8), sized(9)
	if _, err := ask(s, "DetachVolume", "VolumeId="+sized(20)); code(err) != "OperationNotPermitted" {
		t.Errorf("DetachVolume of the root volume: got %v", err)
	}
	must(t, s, "DetachVolume", "VolumeId="+moved)
	settleVolumes(t, s)
	added := element(t, must(t, s, "CreateVolume", "AvailabilityZone="+zone, "Size=11"), "volumeId")
	settleVolumes(t, s)
	must(t, s, "AttachVolume", "VolumeId="+added, "InstanceId="+instanceID, "Device=/dev/sdd")
	settleVolumes(t, s)
	must(t, s, "ModifyInstanceAttribute", "InstanceId="+instanceID, "BlockDeviceMapping.1.DeviceName=/dev/sdd",
		"BlockDeviceMapping.1.Ebs.DeleteOnTermination=true")
	must(t, s, "ModifyVolume", "VolumeId="+kept, "Size=70")
	must(t, s, "TerminateInstances", "InstanceId.1="+instanceID)
	settle(t, s)
	settleVolumes(t, s)
	for _, id := range []string{kept, moved} {
		if got := element(t, must(t, s, "DescribeVolumes", "VolumeId.1="+id), "status"); got != "available" {
			t.Errorf("%s is %s", id, got)
		}
	}
	if got := element(t, must(t, s, "DescribeVolumes", "VolumeId.1="+kept), "size"); got != "70" {
		t.Errorf("the volume that was made larger has %s GiB", got)
	}
	for _, id := range []string{gone, added} {
		if _, err := ask(s, "DescribeVolumes", "VolumeId.1="+id); code(err) != "InvalidVolume.NotFound" {
			t.Errorf("%s, which goes with its instance: got %v", id, err)
		}
	}
}

// TestVolumesAreRefusedInEC2sWords pins codes and sentences that clients, the EBS CSI driver among them, look at.
func TestVolumesAreRefusedInEC2sWords(t *testing.T) {
	s := newService()
	instanceID := run(t, s, "Placement.AvailabilityZone=us-east-1a")
	settle(t, s)
	create := func(params ...string) string {
		return element(t, must(t, s, "CreateVolume", append([]string{"Size=4"}, params...)...), "volumeId")
	}
	here, there, held := create("AvailabilityZone=us-east-1a"), create("AvailabilityZone=us-east-1b"), create("AvailabilityZone=us-east-1a")
	settleVolumes(t, s)
	fresh := create("AvailabilityZone=us-east-1a")
	must(t, s, "AttachVolume", "VolumeId="+held, "InstanceId="+instanceID, "Device=/dev/sdf")
	pending := element(t, must(t, s, "CreateSnapshot", "VolumeId="+here), "snapshotId")
	for _, tt := range []struct{ call, params, want string }{
		{"CreateVolume", "Size=1", "MissingParameter: The request must contain the parameter zone"},
		{"CreateVolume", "AvailabilityZone=us-east-1a", "MissingParameter: The request must contain the parameter size/snapshot"},
		{"CreateVolume", "AvailabilityZone=eu-west-1a&Size=1", "InvalidZone.NotFound: The zone 'eu-west-1a' does not exist."},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=1&VolumeType=gp9", "InvalidParameterValue: "},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=1&VolumeType=io1&Iops=100",
			"InvalidParameterValue: Volume of 1GiB is too small; minimum is 4GiB."},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=20000",
			"InvalidParameterValue: Volume of 20000GiB is too large for volume type gp2; maximum is 16384GiB."},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=10&Iops=300",
			"InvalidParameterCombination: The parameter iops is not supported for gp2 volumes."},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=10&VolumeType=io1", "MissingParameter: The request must contain the parameter iops"},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=10&VolumeType=gp3&Iops=6000",
			"InvalidParameterValue: Iops to volume size ratio of 600.000000 is too high; maximum is 500.000000"},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=10&VolumeType=gp3&Throughput=1000",
			"InvalidParameterValue: Throughput (MiB/s) to iops ratio of 0.333333 is too high"},
		{"CreateVolume", "AvailabilityZone=us-east-1a&SnapshotId=snap-00000000000000000",
			"InvalidSnapshot.NotFound: The snapshot 'snap-00000000000000000' does not exist."},
		{"CreateVolume", "AvailabilityZone=us-east-1a&SnapshotId=" + pending, "IncorrectState: Snapshot is in invalid state - pending"},
		{"CreateVolume", "AvailabilityZone=us-east-1a&Size=1&KmsKeyId=k", "InvalidParameterDependency: "},
		{"AttachVolume", "Device=/dev/sdg&InstanceId=" + instanceID + "&VolumeId=vol-00000000000000000",
			"InvalidVolume.NotFound: The volume 'vol-00000000000000000' does not exist."},
		{"AttachVolume", "Device=/dev/sdg&InstanceId=i-00000000000000000&VolumeId=" + here, "InvalidInstanceID.NotFound: "},
		{"AttachVolume", "Device=/dev/sdg&InstanceId=" + instanceID + "&VolumeId=" + there, "InvalidVolume.ZoneMismatch: The volume '" +
			there + "' is not in the same availability zone as instance '" + instanceID + "'"},
		{"AttachVolume", "Device=/dev/sdg&InstanceId=" + instanceID + "&VolumeId=" + held,
			"VolumeInUse: " + held + " is already attached to an instance"},
		{"AttachVolume", "Device=/dev/sdg&InstanceId=" + instanceID + "&VolumeId=" + fresh, "IncorrectState: " + fresh + " is not 'available'."},
		{"AttachVolume", "Device=/dev/sdf&InstanceId=" + instanceID + "&VolumeId=" + here,
			"InvalidParameterValue: Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use"},
		{"DetachVolume", "VolumeId=" + here, "IncorrectState: Volume '" + here + "' is in the 'available' state."},
		{"DetachVolume", "VolumeId=" + held + "&InstanceId=i-00000000000000000", "InvalidAttachment.NotFound: "},
		{"DeleteVolume", "VolumeId=" + held, "VolumeInUse: Volume " + held + " is currently attached to " + instanceID},
		{"ModifyVolume", "VolumeId=" + here + "&Size=1", "InvalidParameterValue: New size cannot be smaller than existing size"},
		{"ModifyVolume", "VolumeId=" + here, "InvalidParameterCombination: "},
		{"ModifyVolume", "VolumeId=" + fresh + "&Size=9", "IncorrectModificationState: "},
		{"CreateSnapshot", "VolumeId=" + fresh, "IncorrectState: Volume '" + fresh + "' is in the 'creating' state."},
	} {
		_, err := ask(s, tt.call, strings.Split(tt.params, "&")...)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v\nwant %s", tt.call, tt.params, err, tt.want)
		}
	}
}

func TestAnInstanceTakesSoManyVolumes(t *testing.T) {
	s := newService()
	instanceID := run(t, s, "Placement.AvailabilityZone=us-east-1a", "InstanceType=m5.large")
	settle(t, s)
	var err error
	attached := 0
	for ; err == nil && attached < 50; attached++ {
		volumeID := element(t, must(t, s, "CreateVolume", "AvailabilityZone=us-east-1a", "Size=1"), "volumeId")
		settleVolumes(t, s)
		_, err = ask(s, "AttachVolume", "VolumeId="+volumeID, "InstanceId="+instanceID, fmt.Sprintf("Device=/dev/xvda%c", 'a'+attached))
	}
	// 27 slots, less one for the root volume
	if code(err) != "AttachmentLimitExceeded" || attached != 27 {
		t.Errorf("the %dth volume: got %v", attached, err)
	}
}

func TestCreateVolumeIsIdempotentByItsToken(t *testing.T) {
	s := newService()
	params := []string{"AvailabilityZone=us-east-1a", "Size=1", "ClientToken=t"}
	first := element(t, must(t, s, "CreateVolume", params...), "volumeId")
	if again := element(t, must(t, s, "CreateVolume", params...), "volumeId"); again != first {
		t.Errorf("the second call made %s beside %s", again, first)
	}
	if _, err := ask(s, "CreateVolume", "AvailabilityZone=us-east-1a", "Size=2", "ClientToken=t"); code(err) != "IdempotentParameterMismatch" {
		t.Errorf("got %v", err)
	}
}

func TestAVolumeIsModifiedFourTimesADay(t *testing.T) {
	s := newService()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s.Now = func() time.Time { return now }
	volumeID := element(t, must(t, s, "CreateVolume", "AvailabilityZone=us-east-1a", "Size=1"), "volumeId")
	settleVolumes(t, s)
	if _, err := ask(s, "DescribeVolumesModifications", "VolumeId.1="+volumeID); code(err) != "InvalidVolumeModification.NotFound" {
		t.Errorf("got %v", err)
	}
	for i := range 4 {
		body := must(t, s, "ModifyVolume", "VolumeId="+volumeID, fmt.Sprintf("Size=%d", i+2), "VolumeType=gp3")
		if got := element(t, body, "modificationState"); got != "modifying" {
			t.Errorf("the answer says %s", got)
		}
		now = now.Add(time.Hour)
	}
	body := must(t, s, "DescribeVolumesModifications", "VolumeId.1="+volumeID)
	for name, want := range map[string]string{"modificationState": "completed", "progress": "100", "originalSize": "4", "targetSize": "5"} {
		if got := element(t, body, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, err := ask(s, "ModifyVolume", "VolumeId="+volumeID, "Size=9"); code(err) != "VolumeModificationRateExceeded" {
		t.Errorf("the fifth in a day: got %v", err)
	}
	now = now.Add(21 * time.Hour)
	must(t, s, "ModifyVolume", "VolumeId="+volumeID, "Size=9")
}

func TestSnapshots(t *testing.T) {
	s := newService()
	volumeID := element(t, must(t, s, "CreateVolume", "AvailabilityZone=us-east-1a", "Size=3"), "volumeId")
	settleVolumes(t, s)
	body := must(t, s, "CreateSnapshot", "VolumeId="+volumeID, "Description=d", "TagSpecification.1.ResourceType=snapshot",
		"TagSpecification.1.Tag.1.Key=k", "TagSpecification.1.Tag.1.Value=v")
	snapshotID := element(t, body, "snapshotId")
	if got := element(t, body, "status"); got != "pending" {
		t.Errorf("it is %s at first", got)
	}
	if _, err := ask(s, "CopySnapshot", "SourceSnapshotId="+snapshotID, "SourceRegion=us-east-1"); code(err) != "IncorrectState" {
		t.Errorf("a copy of a pending one: got %v", err)
	}
	settleVolumes(t, s)
	body = must(t, s, "DescribeSnapshots", "Owner.1=self", "Filter.1.Name=tag:k", "Filter.1.Value.1=v")
	for name, want := range map[string]string{"snapshotId": snapshotID, "status": "completed", "progress": "100%", "volumeSize": "3"} {
		if got := element(t, body, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if body := must(t, s, "DescribeSnapshots", "Owner.1=amazon"); strings.Contains(body, "<snapshotId>") {
		t.Errorf("Amazon has %s", body)
	}
	copied := element(t, must(t, s, "CopySnapshot", "SourceSnapshotId="+snapshotID, "SourceRegion=us-east-1"), "snapshotId")
	settleVolumes(t, s)
	of := element(t, must(t, s, "CreateVolume", "AvailabilityZone=us-east-1b", "SnapshotId="+copied), "volumeId")
	if got := element(t, must(t, s, "DescribeVolumes", "VolumeId.1="+of), "size"); got != "3" {
		t.Errorf("the volume of the snapshot has %s GiB", got)
	}
	must(t, s, "ModifySnapshotAttribute", "SnapshotId="+snapshotID, "CreateVolumePermission.Add.1.UserId=444455556666")
	if body := must(t, s, "DescribeSnapshotAttribute", "SnapshotId="+snapshotID,
		"Attribute=createVolumePermission"); element(t, body, "userId") != "444455556666" {
		t.Errorf("who may use it: %s", body)
	}
	must(t, s, "DeleteSnapshot", "SnapshotId="+snapshotID)
	if _, err := ask(s, "DescribeSnapshots", "SnapshotId.1="+snapshotID); code(err) != "InvalidSnapshot.NotFound" {
		t.Errorf("a deleted snapshot: got %v", err)
	}
}
