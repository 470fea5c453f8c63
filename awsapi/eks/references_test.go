package eks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

const noRole, deafRole = "arn:aws:iam::111122223333:role/nope", "arn:aws:iam::111122223333:role/deaf"

// withDeafRole adds a role that trusts nobody's service.
func withDeafRole(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "API")
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		region.Roles.Put(tx, "deaf", region.Role{Name: "deaf", ARN: deafRole, ID: "AROADEAFDEAFDEAFDEAFD", Path: "/",
			TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",` +
				`"Principal":{"Service":["lambda.amazonaws.com"],"AWS":"111122223333"}}}`})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// wantSentence checks which exception a call met, to the letter.
func wantSentence(t *testing.T, name string, err error, want string) {
	t.Helper()
	var told smithy.APIError
	if !errors.As(err, &told) || told.ErrorCode()+": "+told.ErrorMessage() != want {
		t.Errorf("%s: got %v\nwant %s", name, err, want)
	}
}

func TestRolesThatEKSCannotTakeAreRefused(t *testing.T) {
	w := withDeafRole(t)
	demo := aws.String("demo")
	association := must(w.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: demo,
		Namespace: aws.String("a"), ServiceAccount: aws.String("kept"),
		RoleArn: aws.String(role)}))(t).Association
	calls := map[string]struct {
		call             func(arn string) error
		absent, distrust string
	}{
		"CreateCluster": {func(arn string) error {
			_, err := w.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("second"), RoleArn: &arn,
				ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()}})
			return err
		}, invalid + ": Role with arn: ARN, could not be assumed because it does not exist or the trusted entity is " +
			"not correct",
			invalid + ": Role with arn: ARN, could not be assumed because it does not exist or the trusted entity is " +
				"not correct"},
		"CreateNodegroup": {func(arn string) error {
			_, err := w.CreateNodegroup(ctx, nodegroup(func(in *eks.CreateNodegroupInput) { in.NodeRole = &arn }))
			return err
		}, invalid + ": The role with name nope cannot be found.",
			invalid + ": Following required service principals [ec2.amazonaws.com] were not found in the trust " +
				"relationships of nodeRole ARN"},
		"CreateFargateProfile": {func(arn string) error {
			_, err := w.CreateFargateProfile(ctx,
				&eks.CreateFargateProfileInput{ClusterName: demo, FargateProfileName: aws.String("f"),
					PodExecutionRoleArn: &arn,
					Subnets:             vpc.SubnetIDs(), Selectors: []types.FargateProfileSelector{{Namespace: aws.String("a")}}})
			return err
		}, invalid + ": The role with name nope cannot be found.",
			invalid + ": Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com " +
				"Service Principal"},
		"CreatePodIdentityAssociation": {func(arn string) error {
			_, err := w.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: demo,
				Namespace: aws.String("a"), ServiceAccount: aws.String("b"), RoleArn: &arn})
			return err
		}, invalid + ": Role provided in the request does not exist",
			invalid + ": Trust policy of the role provided is invalid"},
		"UpdatePodIdentityAssociation": {func(arn string) error {
			_, err := w.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: demo,
				AssociationId: association.AssociationId, RoleArn: &arn})
			return err
		}, invalid + ": Role provided in the request does not exist",
			invalid + ": Trust policy of the role provided is invalid"},
		"CreateAddon of pods": {func(arn string) error {
			_, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: demo, AddonName: aws.String("vpc-cni"),
				PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("aws-node"),
					RoleArn: &arn}}})
			return err
		}, invalid + ": Role provided in the request does not exist",
			invalid + ": Trust policy of the role provided is invalid"},
		"CreateAddon": {func(arn string) error {
			_, err := w.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: demo, AddonName: aws.String("aws-ebs-csi-driver"),
				ServiceAccountRoleArn: &arn})
			return err
		}, invalid + ": The role with name nope cannot be found.", ""},
		"CreateCapability": {func(arn string) error {
			_, err := w.CreateCapability(ctx,
				&eks.CreateCapabilityInput{ClusterName: demo, CapabilityName: aws.String("k"), Type: "KRO",
					RoleArn: &arn, DeletePropagationPolicy: "RETAIN"})
			return err
		}, invalid + ": Role with arn: ARN, could not be assumed because it does not exist or the trusted entity is " +
			"not correct",
			invalid + ": Role with arn: ARN, could not be assumed because it does not exist or the trusted entity is " +
				"not correct"},
		"RegisterCluster": {func(arn string) error {
			_, err := w.RegisterCluster(ctx, &eks.RegisterClusterInput{Name: aws.String("far"),
				ConnectorConfig: &types.ConnectorConfigRequest{Provider: "GKE", RoleArn: &arn}})
			return err
		}, invalid + ": The role with name nope cannot be found.", ""},
	}
	for name, tt := range calls {
		wantSentence(t, name+" with a role that is not there", tt.call(noRole), strings.ReplaceAll(tt.absent, "ARN", noRole))
		wantSentence(t, name+" with a role of another account", tt.call("arn:aws:iam::999988887777:role/x"),
			"AccessDeniedException: Cross-account pass role is not allowed.")
		if tt.distrust != "" {
			wantSentence(t, name+" with a role that trusts others", tt.call(deafRole),
				strings.ReplaceAll(tt.distrust, "ARN", deafRole))
		}
		if err := tt.call(role); err != nil {
			t.Errorf("%s with a good role: %v", name, err)
		}
	}
	_, err := w.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("third"), RoleArn: aws.String("hello"),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()}})
	wantSentence(t, "no role at all", err,
		invalid+": Role with arn: hello, could not be assumed because it does not exist or the trusted entity is not correct")
}

func TestWhatANodegroupNamesIsThere(t *testing.T) {
	w := newWorld(t, "API")
	refuses := func(name, want string, change func(*eks.CreateNodegroupInput)) {
		t.Helper()
		_, err := w.CreateNodegroup(ctx, nodegroup(change))
		wantSentence(t, name, err, want)
	}
	template := func(id, version string) *types.LaunchTemplateSpecification {
		return &types.LaunchTemplateSpecification{Id: aws.String(id), Version: aws.String(version)}
	}
	refuses("an instance type", invalid+": The following supplied instance types do not exist: [zz9.huge]",
		func(in *eks.CreateNodegroupInput) { in.InstanceTypes = []string{"m5.large", "zz9.huge"} })
	refuses("a key", invalid+": The key pair 'nope' does not exist",
		func(in *eks.CreateNodegroupInput) {
			in.RemoteAccess = &types.RemoteAccessConfig{Ec2SshKey: aws.String("nope")}
		})
	refuses("a template", invalid+": The specified launch template, with template ID lt-00000000000000000, does "+
		"not exist.",
		func(in *eks.CreateNodegroupInput) { in.LaunchTemplate = template("lt-00000000000000000", "1") })
	refuses("a template's name", invalid+": The specified launch template, with template name nope, does not exist.",
		func(in *eks.CreateNodegroupInput) {
			in.LaunchTemplate = &types.LaunchTemplateSpecification{Name: aws.String("nope")}
		})
	must(w.CreateNodegroup(ctx,
		// AWS has more than the catalogue
		nodegroup(func(in *eks.CreateNodegroupInput) { in.InstanceTypes = []string{"p5.48xlarge"} })))(t)
}

func TestNodegroupTakesWhatItsTemplateSays(t *testing.T) {
	w := apitest.New(t, func(tx *state.Txn) {
		region.Roles.Put(tx, "worker", region.Role{Name: "worker", ARN: "arn:aws:iam::111122223333:role/worker",
			ID: "AROAWORKERWORKERWORKE", Path: "/", TrustPolicy: trustOfAll})
		region.Clusters.Put(tx, clusterID, region.Cluster{ID: clusterID, Name: "demo", Version: "1.36", Status: "ACTIVE",
			CreatedAt: created, AuthenticationMode: "API"})
	})
	act(t, w.Memory)
	w.Boto3("testdata/templates.py")
}

func TestLenientRegionTakesWhatIsNotThere(t *testing.T) {
	w := apitest.Start(t, func(w *apitest.World) { w.Front.LenientReferences = true }, func(tx *state.Txn) {
		region.Clusters.Put(tx, clusterID, region.Cluster{ID: clusterID, Name: "demo", Version: "1.36", Status: "ACTIVE",
			CreatedAt: created, AuthenticationMode: "API"})
	})
	api := eks.NewFromConfig(w.Config("admin"))
	in := nodegroup(func(in *eks.CreateNodegroupInput) {
		in.NodeRole, in.InstanceTypes = aws.String(noRole), []string{"zz9.huge"}
		in.LaunchTemplate = &types.LaunchTemplateSpecification{Name: aws.String("nope"), Version: aws.String("7")}
	})
	group := must(api.CreateNodegroup(ctx, in))(t).Nodegroup
	if *group.LaunchTemplate.Name != "nope" || *group.LaunchTemplate.Version != "7" || *group.NodeRole != noRole {
		t.Errorf("got %+v", group)
	}
	must(api.UpdateNodegroupVersion(ctx,
		&eks.UpdateNodegroupVersionInput{ClusterName: in.ClusterName, NodegroupName: in.NodegroupName,
			LaunchTemplate: &types.LaunchTemplateSpecification{Name: aws.String("nope"), Version: aws.String("8")}}))(t)
	must(api.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("second"), RoleArn: aws.String("hello"),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.SubnetIDs()}}))(t)
}
