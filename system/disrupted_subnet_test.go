package system

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	corev1 "k8s.io/api/core/v1"
)

// experimentCutsOff has Fault Injection Service cut a pod's subnet off, as its AZ scenarios do, and let it go.
func experimentCutsOff(t *testing.T, r *testRegion, calls awsServices, pods []corev1.Pod) {
	t.Helper()
	ctx := within(t, time.Minute)
	found, err := calls.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("private-dns-name"), Values: []string{pods[1].Spec.NodeName}}}})
	must(t, "DescribeInstances", err)
	subnets, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
		SubnetIds: []string{*found.Reservations[0].Instances[0].SubnetId}})
	must(t, "DescribeSubnets", err)
	role, err := calls.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("cutter"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"fis.amazonaws.com"},"Action":"sts:AssumeRole"}}`)})
	must(t, "CreateRole", err)
	_, err = calls.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("cutter"),
		PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSFaultInjectionSimulatorNetworkAccess")})
	must(t, "AttachRolePolicy", err)
	template, err := calls.experiments.CreateExperimentTemplate(ctx, &fis.CreateExperimentTemplateInput{ClientToken: aws.String("cut"),
		Description: aws.String("cut a subnet off"), RoleArn: role.Role.Arn,
		StopConditions: []types.CreateExperimentTemplateStopConditionInput{{Source: aws.String("none")}},
		Targets: map[string]types.CreateExperimentTemplateTargetInput{"subnets": {ResourceType: aws.String("aws:ec2:subnet"),
			ResourceArns: []string{*subnets.Subnets[0].SubnetArn}, SelectionMode: aws.String("ALL")}},
		Actions: map[string]types.CreateExperimentTemplateActionInput{"cut": {ActionId: aws.String("aws:network:disrupt-connectivity"),
			Targets: map[string]string{"Subnets": "subnets"}, Parameters: map[string]string{"duration": "PT1H", "scope": "all"}}}})
	must(t, "CreateExperimentTemplate", err)
	started, err := calls.experiments.StartExperiment(ctx, &fis.StartExperimentInput{ClientToken: aws.String("cut"),
		ExperimentTemplateId: template.ExperimentTemplate.Id})
	must(t, "StartExperiment", err)
	curl := func() int {
		_, _, code := tripod(t, r.dir, "kubectl", "exec", pods[0].Name, "--", "curl", "-sS", "-m", "2", "http://"+pods[1].Status.PodIP+"/")
		return code
	}
	eventually(t, time.Minute, "nobody reaches the subnet", func() (bool, string) {
		code := curl()
		return code == 28, fmt.Sprint("curl ends with ", code)
	})
	reach := r.canReach(t, "pod/default/"+pods[0].Name, "pod/default/"+pods[1].Name+":80", 1)
	if !stops(reach, "SUBNET_ACL_RESTRICTION", "acl-") {
		t.Errorf("can-reach: got %+v", reach)
	}
	_, err = calls.experiments.StopExperiment(within(t, time.Minute), &fis.StopExperimentInput{Id: started.Experiment.Id})
	must(t, "StopExperiment", err)
	eventually(t, time.Minute, "the subnet is reached again", func() (bool, string) {
		code := curl()
		return code == 0, fmt.Sprint("curl ends with ", code)
	})
	acls, err := calls.ec2.DescribeNetworkAcls(within(t, time.Minute), &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
		{Name: aws.String("association.subnet-id"), Values: []string{*subnets.Subnets[0].SubnetId}}}})
	must(t, "DescribeNetworkAcls", err)
	if len(acls.NetworkAcls) != 1 || !aws.ToBool(acls.NetworkAcls[0].IsDefault) {
		t.Errorf("the subnet has the network ACLs %+v, want its old one", acls.NetworkAcls)
	}
}
