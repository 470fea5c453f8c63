package autoscaling_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

func TestPoliciesNameGroupsByARN(t *testing.T) {
	w := apitest.New(t, func(tx *state.Txn) {
		for _, name := range []string{"mine", "others"} {
			region.AutoScalingGroups.Put(tx, name, region.AutoScalingGroup{Name: name, Max: 3, ARN: "arn:aws:autoscaling:" +
				"us-east-1:111122223333:autoScalingGroup:8f3f3f3f-0000-4000-8000-000000000000:autoScalingGroupName/" + name})
		}
	})
	w.Allow("nobody", "autoscaling:SetDesiredCapacity",
		"arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:*:autoScalingGroupName/mine")
	client := sdk.NewFromConfig(w.Config("nobody"))
	set := func(name string) error {
		_, err := client.SetDesiredCapacity(context.Background(), &sdk.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String(name), DesiredCapacity: aws.Int32(1)})
		return err
	}
	if err := set("mine"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"others", "none"} {
		if err := set(name); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.DescribeAutoScalingGroups(context.Background(), nil); err == nil {
		t.Error("it may describe all")
	}
}
