package efs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	sdk "github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	vpcapi "tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// world is EFS over a region whose zones' agents do their part when settle is called.
type world struct {
	*apitest.World
	*testing.T
	*sdk.Client
	subnets []string // of the default VPC, one a zone
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: apitest.New(t), T: t}
	w.Client = sdk.NewFromConfig(w.Config("admin"))
	vpc := vpcapi.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	w.subnets = vpc.SubnetIDs()
	return w
}

// settle does the agents' part.
func (w *world) settle() {
	w.Helper()
	w.Write(func(tx *state.Txn) {
		for _, f := range region.FileSystems.List(tx) {
			region.SettleFileSystem(tx, f.ID)
		}
		for _, m := range region.MountTargets.List(tx) {
			region.SettleMountTarget(tx, m.ID)
		}
	})
}

func (w *world) fails(err error, code, words string) {
	w.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), words) {
		w.Errorf("got %v, want %s with %q", err, code, words)
	}
}

// make is a file system that is available.
func (w *world) make(in *sdk.CreateFileSystemInput) string {
	w.Helper()
	out, err := w.CreateFileSystem(w.Context(), in)
	if err != nil {
		w.Fatal(err)
	}
	w.settle()
	return *out.FileSystemId
}

// described is a file system as EFS shows it; nil: it is gone.
func (w *world) described(id string) *types.FileSystemDescription {
	w.Helper()
	out, err := w.DescribeFileSystems(w.Context(), &sdk.DescribeFileSystemsInput{FileSystemId: &id})
	var gone *types.FileSystemNotFound
	if errors.As(err, &gone) {
		return nil
	}
	if err != nil || len(out.FileSystems) != 1 {
		w.Fatal(out, err)
	}
	return &out.FileSystems[0]
}

func TestAFileSystemLivesUntilItHasNoMountTargetsAndIsDeleted(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	made, err := w.CreateFileSystem(ctx, &sdk.CreateFileSystemInput{CreationToken: aws.String("one"), Encrypted: aws.Bool(true),
		Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("shared")}}})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.FileSystemId
	if made.LifeCycleState != types.LifeCycleStateCreating || *made.Name != "shared" || made.ThroughputMode != "bursting" ||
		made.PerformanceMode != "generalPurpose" || !strings.Contains(aws.ToString(made.KmsKeyId), ":key/") ||
		*made.FileSystemArn != "arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/"+id || made.SizeInBytes.Value != 6144 ||
		time.Since(*made.CreationTime) > time.Minute {
		t.Errorf("made %+v", made)
	}
	_, err = w.CreateFileSystem(ctx, &sdk.CreateFileSystemInput{CreationToken: aws.String("one")})
	w.fails(err, "FileSystemAlreadyExists", "File system '"+id+"' already exists with creation token 'one'")
	var exists *types.FileSystemAlreadyExists
	if !errors.As(err, &exists) || aws.ToString(exists.FileSystemId) != id || aws.ToString(exists.ErrorCode_) != "FileSystemAlreadyExists" {
		t.Errorf("refused with %+v", exists)
	}
	_, err = w.CreateMountTarget(ctx, &sdk.CreateMountTargetInput{FileSystemId: &id, SubnetId: &w.subnets[0]})
	w.fails(err, "IncorrectFileSystemLifeCycleState", "'creating'")
	w.settle()
	target, err := w.CreateMountTarget(ctx, &sdk.CreateMountTargetInput{FileSystemId: &id, SubnetId: &w.subnets[0]})
	if err != nil {
		t.Fatal(err)
	}
	w.settle()
	if d := w.described(id); d.LifeCycleState != types.LifeCycleStateAvailable || d.NumberOfMountTargets != 1 {
		t.Errorf("it is %+v", d)
	}
	_, err = w.DeleteFileSystem(ctx, &sdk.DeleteFileSystemInput{FileSystemId: &id})
	w.fails(err, "FileSystemInUse", "cannot be deleted because it has mount targets. You must delete the mount targets, and then try again.")
	if _, err := w.DeleteMountTarget(ctx, &sdk.DeleteMountTargetInput{MountTargetId: target.MountTargetId}); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeleteFileSystem(ctx, &sdk.DeleteFileSystemInput{FileSystemId: &id}) // its zone has not let go yet
	w.fails(err, "FileSystemInUse", "")
	w.settle()
	point, err := w.CreateAccessPoint(ctx, &sdk.CreateAccessPointInput{FileSystemId: &id, ClientToken: aws.String("p")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteFileSystem(ctx, &sdk.DeleteFileSystemInput{FileSystemId: made.FileSystemArn}); err != nil {
		t.Fatal(err)
	}
	if d := w.described(id); d.LifeCycleState != types.LifeCycleStateDeleting {
		t.Errorf("after its deletion has begun it is %s", d.LifeCycleState)
	}
	w.settle()
	if w.described(id) != nil {
		t.Error("it is there after its deletion")
	}
	_, err = w.DescribeAccessPoints(ctx, &sdk.DescribeAccessPointsInput{AccessPointId: point.AccessPointId})
	w.fails(err, "AccessPointNotFound", *point.AccessPointId)
	_, err = w.DeleteFileSystem(ctx, &sdk.DeleteFileSystemInput{FileSystemId: &id})
	w.fails(err, "FileSystemNotFound", "File system '"+id+"' does not exist.")
}

func TestAZoneHasOneMountTargetOfAFileSystem(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("a")})
	create := func(subnet string, more ...func(*sdk.CreateMountTargetInput)) (*sdk.CreateMountTargetOutput, error) {
		in := &sdk.CreateMountTargetInput{FileSystemId: &id, SubnetId: &subnet}
		for _, edit := range more {
			edit(in)
		}
		return w.CreateMountTarget(ctx, in)
	}
	address := func(text string) func(*sdk.CreateMountTargetInput) {
		return func(in *sdk.CreateMountTargetInput) { in.IpAddress = &text }
	}
	first, err := create(w.subnets[0])
	if err != nil {
		t.Fatal(err)
	}
	if *first.AvailabilityZoneName != "us-east-1a" || *first.AvailabilityZoneId != "use1-az1" || *first.VpcId == "" {
		t.Errorf("made %+v", first)
	}
	_, err = create(w.subnets[0])
	w.fails(err, "MountTargetConflict", "mount target already exists in this AZ")
	_, err = create("subnet-0123456789abcdef0")
	w.fails(err, "SubnetNotFound", "The subnet ID 'subnet-0123456789abcdef0' does not exist")
	_, err = create(w.subnets[1], func(in *sdk.CreateMountTargetInput) { in.SecurityGroups = []string{"sg-0123456789abcdef0"} })
	w.fails(err, "SecurityGroupNotFound", "The SecurityGroup ID 'sg-0123456789abcdef0' does not exist")
	_, err = create(w.subnets[1], address("192.168.1.1"))
	w.fails(err, "BadRequest", "Address does not fall within the subnet's address range")
	_, err = create(w.subnets[1], func(in *sdk.CreateMountTargetInput) { in.IpAddressType = types.IpAddressTypeDualStack })
	w.fails(err, "BadRequest", "IPV4_ONLY")
	_, err = create("nonsense")
	w.fails(err, "ValidationException", "Value 'nonsense' at 'subnetId' failed to satisfy constraint: Member must ")

	network := ec2.NewFromConfig(w.Config("admin"))
	shown, err := network.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{
		*first.NetworkInterfaceId}})
	if err != nil || *shown.NetworkInterfaces[0].PrivateIpAddress != *first.IpAddress || shown.NetworkInterfaces[0].InterfaceType != "efs" {
		t.Errorf("EC2 shows %+v, %v", shown, err)
	}
	vpc, err := network.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	other, err := network.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.9.0.0/24"),
		AvailabilityZone: aws.String("us-east-1b")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = create(*other.Subnet.SubnetId)
	w.fails(err, "MountTargetConflict", "not in the same VPC as existing mount targets")

	own := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("b"), AvailabilityZoneName: aws.String("us-east-1b")})
	if d := w.described(own); *d.AvailabilityZoneName != "us-east-1b" || *d.AvailabilityZoneId != "use1-az2" {
		t.Errorf("a One Zone file system is %+v", d)
	}
	_, err = w.CreateMountTarget(ctx, &sdk.CreateMountTargetInput{FileSystemId: &own, SubnetId: &w.subnets[0]})
	w.fails(err, "AvailabilityZonesMismatch", "us-east-1b")
	named, err := w.CreateMountTarget(ctx, &sdk.CreateMountTargetInput{FileSystemId: &own, SubnetId: other.Subnet.SubnetId,
		IpAddress: aws.String("10.9.0.77")})
	if err != nil || *named.IpAddress != "10.9.0.77" {
		t.Fatal(named, err)
	}
	_, err = network.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: other.Subnet.SubnetId})
	w.fails(err, "DependencyViolation", "")
	_, err = create(w.subnets[1], address(*first.IpAddress))
	w.fails(err, "BadRequest", "subnet's address range")

	_, err = w.DescribeMountTargets(ctx, &sdk.DescribeMountTargetsInput{})
	w.fails(err, "BadRequest", "Must specify exactly one mutually exclusive parameter.")
	groups, err := w.DescribeMountTargetSecurityGroups(ctx, &sdk.DescribeMountTargetSecurityGroupsInput{MountTargetId: first.MountTargetId})
	if err != nil || len(groups.SecurityGroups) != 1 {
		t.Errorf("its groups are %+v, %v", groups, err)
	}
	_, err = w.ModifyMountTargetSecurityGroups(ctx, &sdk.ModifyMountTargetSecurityGroupsInput{MountTargetId: first.MountTargetId,
		SecurityGroups: []string{"sg-00000001", "sg-00000002", "sg-00000003", "sg-00000004", "sg-00000005", "sg-00000006"}})
	w.fails(err, "SecurityGroupLimitExceeded", "The maximum number of security groups per interface has been reached.")
	_, err = w.DeleteMountTarget(ctx, &sdk.DeleteMountTargetInput{MountTargetId: aws.String("fsmt-0123456789abcdef0")})
	w.fails(err, "MountTargetNotFound", "Mount target 'fsmt-0123456789abcdef0' does not exist.")
}

func TestAnAccessPointIsMadeOnceByItsToken(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("a")})
	in := &sdk.CreateAccessPointInput{FileSystemId: &id, ClientToken: aws.String("p"),
		PosixUser: &types.PosixUser{Uid: aws.Int64(1000), Gid: aws.Int64(1001), SecondaryGids: []int64{7}},
		RootDirectory: &types.RootDirectory{Path: aws.String("/a/b"), CreationInfo: &types.CreationInfo{OwnerUid: aws.Int64(1),
			OwnerGid: aws.Int64(2), Permissions: aws.String("0755")}}}
	made, err := w.CreateAccessPoint(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.CreateAccessPoint(ctx, in)
	w.fails(err, "AccessPointAlreadyExists", *made.AccessPointId)
	var exists *types.AccessPointAlreadyExists
	if !errors.As(err, &exists) || aws.ToString(exists.AccessPointId) != *made.AccessPointId {
		t.Errorf("refused with %+v", exists)
	}
	shown, err := w.DescribeAccessPoints(ctx, &sdk.DescribeAccessPointsInput{FileSystemId: &id})
	if err != nil || len(shown.AccessPoints) != 1 || *shown.AccessPoints[0].PosixUser.Gid != 1001 ||
		*shown.AccessPoints[0].RootDirectory.CreationInfo.Permissions != "0755" || *shown.AccessPoints[0].ClientToken != "p" {
		t.Errorf("shown %+v, %v", shown, err)
	}
	in.ClientToken = aws.String("q")
	for _, path := range []string{"/../x", "/a/.b", "/a/b/c/d/e", "x", "/a;b"} {
		in.RootDirectory.Path = &path
		_, err := w.CreateAccessPoint(ctx, in)
		w.fails(err, "ValidationException", "at 'rootDirectory.path' failed to satisfy constraint")
	}
	if _, err := w.DeleteAccessPoint(ctx, &sdk.DeleteAccessPointInput{AccessPointId: made.AccessPointArn}); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeleteAccessPoint(ctx, &sdk.DeleteAccessPointInput{AccessPointId: made.AccessPointId})
	w.fails(err, "AccessPointNotFound", "")
}

func TestWhatIsKeptOfAFileSystemIsShown(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("a"), ThroughputMode: types.ThroughputModeElastic})
	_, err := w.DescribeBackupPolicy(ctx, &sdk.DescribeBackupPolicyInput{FileSystemId: &id})
	w.fails(err, "PolicyNotFound", "")
	_, err = w.DescribeFileSystemPolicy(ctx, &sdk.DescribeFileSystemPolicyInput{FileSystemId: &id})
	w.fails(err, "PolicyNotFound", "")
	if _, err := w.PutBackupPolicy(ctx, &sdk.PutBackupPolicyInput{FileSystemId: &id,
		BackupPolicy: &types.BackupPolicy{Status: types.StatusEnabled}}); err != nil {
		t.Error(err)
	}
	backup, err := w.DescribeBackupPolicy(ctx, &sdk.DescribeBackupPolicyInput{FileSystemId: &id})
	if err != nil || backup.BackupPolicy.Status != types.StatusEnabled {
		t.Error(backup, err)
	}
	_, err = w.PutFileSystemPolicy(ctx, &sdk.PutFileSystemPolicyInput{FileSystemId: &id, Policy: aws.String("{}")})
	w.fails(err, "InvalidPolicyException", "")
	_, err = w.PutLifecycleConfiguration(ctx, &sdk.PutLifecycleConfigurationInput{FileSystemId: &id,
		LifecyclePolicies: []types.LifecyclePolicy{{}}})
	w.fails(err, "BadRequest", "exactly one transition")
	if _, err := w.PutLifecycleConfiguration(ctx, &sdk.PutLifecycleConfigurationInput{FileSystemId: &id,
		LifecyclePolicies: []types.LifecyclePolicy{
			{TransitionToIA: types.TransitionToIARulesAfter30Days}}}); err != nil {
		t.Error(err)
	}
	kept, err := w.DescribeLifecycleConfiguration(ctx, &sdk.DescribeLifecycleConfigurationInput{FileSystemId: &id})
	if err != nil || len(kept.LifecyclePolicies) != 1 || kept.LifecyclePolicies[0].TransitionToIA != "AFTER_30_DAYS" {
		t.Error(kept, err)
	}
	_, err = w.UpdateFileSystem(ctx, &sdk.UpdateFileSystemInput{FileSystemId: &id, ThroughputMode: types.ThroughputModeProvisioned})
	w.fails(err, "BadRequest", "ProvisionedThroughputInMibps is required")
	updated, err := w.UpdateFileSystem(ctx, &sdk.UpdateFileSystemInput{FileSystemId: &id, ThroughputMode: types.ThroughputModeProvisioned,
		ProvisionedThroughputInMibps: aws.Float64(12.5)})
	if err != nil || *updated.ProvisionedThroughputInMibps != 12.5 {
		t.Error(updated, err)
	}
	protection, err := w.UpdateFileSystemProtection(ctx, &sdk.UpdateFileSystemProtectionInput{FileSystemId: &id,
		ReplicationOverwriteProtection: types.ReplicationOverwriteProtectionDisabled})
	if err != nil || protection.ReplicationOverwriteProtection != "DISABLED" {
		t.Error(protection, err)
	}
	_, err = w.DescribeReplicationConfigurations(ctx, &sdk.DescribeReplicationConfigurationsInput{FileSystemId: &id})
	w.fails(err, "ReplicationNotFound", id)
	all, err := w.DescribeReplicationConfigurations(ctx, &sdk.DescribeReplicationConfigurationsInput{})
	if err != nil || all.Replications == nil || len(all.Replications) > 0 {
		t.Error(all, err)
	}
	preferences, err := w.DescribeAccountPreferences(ctx, &sdk.DescribeAccountPreferencesInput{})
	if err != nil || preferences.ResourceIdPreference.ResourceIdType != types.ResourceIdTypeLongId {
		t.Error(preferences, err)
	}
}

func TestTagsAreKeptBothWays(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("a"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	tag := []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}
	if _, err := w.TagResource(ctx, &sdk.TagResourceInput{ResourceId: &id, Tags: tag}); err != nil {
		t.Fatal(err)
	}
	old := &sdk.CreateTagsInput{FileSystemId: &id, Tags: []types.Tag{{Key: aws.String("c"), Value: aws.String("3")}}}
	var client interface { // its operation of before, which is deprecated, and there
		CreateTags(context.Context, *sdk.CreateTagsInput, ...func(*sdk.Options)) (*sdk.CreateTagsOutput, error)
	} = w
	if _, err := client.CreateTags(ctx, old); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UntagResource(ctx, &sdk.UntagResourceInput{ResourceId: &id, TagKeys: []string{"a", "none"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out, err := w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceId: &id, MaxResults: aws.Int32(1)})
		if err != nil || len(out.Tags) != 1 || *out.Tags[0].Key != "b" || out.NextToken == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		out, err = w.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceId: &id, NextToken: out.NextToken})
		if err != nil || len(out.Tags) != 1 || *out.Tags[0].Key != "c" || out.NextToken != nil {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	_, err := w.TagResource(ctx, &sdk.TagResourceInput{ResourceId: &id, Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}})
	w.fails(err, "BadRequest", "aws:")
}

// TestTheDriversPolicyAllowsWhatTheDriverDoes: AWS's own one, and nothing else of it.
func TestTheDriversPolicyAllowsWhatTheDriverDoes(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id := w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("a")})
	w.User("driver", "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy")
	driver := sdk.NewFromConfig(w.Config("driver"))
	in := &sdk.CreateAccessPointInput{FileSystemId: &id, ClientToken: aws.String("p")}
	_, err := driver.CreateAccessPoint(ctx, in)
	w.fails(err, "AccessDeniedException", "elasticfilesystem:CreateAccessPoint")
	in.Tags = []types.Tag{{Key: aws.String("efs.csi.aws.com/cluster"), Value: aws.String("true")}}
	made, err := driver.CreateAccessPoint(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = driver.TagResource(ctx, &sdk.TagResourceInput{ResourceId: made.AccessPointId, Tags: in.Tags})
	w.fails(err, "AccessDeniedException", "elasticfilesystem:TagResource")
	in.ClientToken, in.Tags = aws.String("q"), nil
	others, err := w.CreateAccessPoint(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = driver.DeleteAccessPoint(ctx, &sdk.DeleteAccessPointInput{AccessPointId: others.AccessPointId})
	w.fails(err, "AccessDeniedException", "elasticfilesystem:DeleteAccessPoint")
	if _, err := driver.DeleteAccessPoint(ctx, &sdk.DeleteAccessPointInput{AccessPointId: made.AccessPointId}); err != nil {
		t.Error(err)
	}
	if _, err := driver.DescribeMountTargets(context.Background(), &sdk.DescribeMountTargetsInput{FileSystemId: &id}); err != nil {
		t.Error(err)
	}
	_, err = sdk.NewFromConfig(w.Config("nobody")).DescribeFileSystems(ctx, &sdk.DescribeFileSystemsInput{})
	w.fails(err, "AccessDeniedException", "elasticfilesystem:DescribeFileSystems")
}

func TestBoto3AndTheCommandLineUseIt(t *testing.T) {
	w := newWorld(t)
	w.make(&sdk.CreateFileSystemInput{CreationToken: aws.String("shared")})
	out := w.CLI("efs", "describe-file-systems", "--query", "FileSystems[].CreationToken", "--output", "text")
	if strings.TrimSpace(out) != "shared" {
		t.Errorf("aws says %q", out)
	}
	w.Boto3("testdata/clients.py")
}
