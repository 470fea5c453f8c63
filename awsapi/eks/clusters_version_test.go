package eks_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"tripod/region"
)

func TestUpgradeThatInsightsSayWouldFailNeedsForce(t *testing.T) {
	w := newWorld(t, "API")
	w.set(t, func(c *region.Cluster) { c.Issues = []region.ClusterIssue{{Code: "Other", Message: "broken"}} })
	upgrade := func(force bool) error {
		_, err := w.UpdateClusterVersion(ctx,
			&eks.UpdateClusterVersionInput{Name: aws.String("demo"), Version: aws.String("1.37"), Force: force})
		return err
	}
	if err := upgrade(false); err == nil || !strings.Contains(err.Error(), "InvalidStateException: Amazon EKS "+
		"detected upgrade readiness issues.") {
		t.Errorf("got %v", err)
	}
	if err := upgrade(true); err != nil {
		t.Error(err)
	}
}
