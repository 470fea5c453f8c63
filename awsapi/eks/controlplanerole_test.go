package eks_test

import (
	"strings"
	"testing"
	"time"

	service "tripod/awsapi/eks"
	"tripod/region"
	"tripod/state"
)

func TestControlPlaneActsByItsClustersRole(t *testing.T) {
	w := newWorld(t, "API")
	place, err := service.PlaceOf(vpc, region.Cluster{ID: clusterID, Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	if place.VPC != vpc.ID() || place.RoleARN != "arn:aws:iam::"+vpc.AccountID+":role/eksClusterRole" {
		t.Errorf("the first cluster is at %+v", place)
	}
	const trusting = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},` +
		`"Action":"sts:AssumeRole"}]}`
	distrusting := strings.Replace(trusting, "eks.", "ec2.", 1)
	for _, c := range []struct {
		trust         string // of the role; empty: there is none
		lenient, acts bool
	}{{trusting, false, true}, {trusting, true, true}, {distrusting, false, false}, {"", false, false}, {"", true, true},
		{distrusting, true, true}} {
		err := w.state.Update(ctx, func(tx *state.Txn) error {
			region.Roles.Delete(tx, "eksClusterRole")
			if c.trust != "" {
				region.Roles.Put(tx, "eksClusterRole", region.Role{Name: "eksClusterRole", ID: "AROACLUSTER", ARN: place.RoleARN,
					TrustPolicy: c.trust})
			}
			session, err := service.ControlPlaneSession(tx, vpc.AccountID, place.RoleARN, c.lenient, created)
			if !c.acts {
				if err == nil || !strings.Contains(err.Error(), place.RoleARN) {
					t.Errorf("%+v: got %+v, %v", c, session, err)
				}
				return nil
			}
			if err != nil {
				return err
			}
			if session.Service != "eks.amazonaws.com" || session.Expires.Sub(created) != 15*time.Minute {
				t.Errorf("%+v: got %+v", c, session)
			}
			if ofRole := session.Role == "eksClusterRole" && session.ID == "AROACLUSTER" && session.Name != ""; ofRole !=
				(c.trust == trusting) {
				t.Errorf("%+v: got %+v", c, session)
			}
			if session.Role == "" && (session.ID != vpc.AccountID || len(session.PolicyARNs) != 1) {
				t.Errorf("%+v: root is not narrowed: %+v", c, session)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
