package controlplane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// quietStorage is a driver that does nothing; it counts what is done to it.
type quietStorage struct{ open, installed *int }

func (s quietStorage) Start(context.Context) error                 { *s.open++; return nil }
func (s quietStorage) Stop(context.Context) error                  { *s.open--; return nil }
func (s quietStorage) Changes() <-chan struct{}                    { return nil }
func (s quietStorage) Keep(context.Context) (time.Duration, error) { return 0, nil }
func (s quietStorage) Install(context.Context) error               { *s.installed++; return nil }
func (s quietStorage) Uninstall(context.Context) error             { *s.installed = 0; return nil }

func TestTheDriverOfVolumesRunsWhereTheZoneLeadsWhileItsAddOnIsThere(t *testing.T) {
	c := joiningPart(t, &recorder{})
	leader := c.host.Plan.Zone
	c.host.State = led{c.host.State, &leader}
	var made, open, installed int
	c.host.Storage = func(StorageConfig) (Storage, error) { made++; return quietStorage{&open, &installed}, nil }
	want := func(what string, wantMade, wantOpen, wantInstalled int) {
		t.Helper()
		if _, err := c.keepStorage(t.Context()); err != nil || made != wantMade || open != wantOpen || installed != wantInstalled {
			t.Errorf("%s: %d made, %d open, installed %d times, want %d, %d and %d (%v)", what, made, open, installed, wantMade, wantOpen,
				wantInstalled, err)
		}
	}
	want("no add-on", 0, 0, 0)
	addon := region.Addon{ClusterID: c.cluster.ID, Addon: types.Addon{AddonName: aws.String(ebsAddon.name), AddonVersion: aws.String("v1")}}
	update(t, c, func(tx *state.Txn) { region.Addons.Put(tx, c.cluster.ID+"/"+ebsAddon.name, addon) })
	want("the add-on", 1, 1, 1)
	want("nothing new", 1, 1, 1)
	addon.ServiceAccountRoleArn = aws.String("arn:aws:iam::000000000000:role/ebs")
	update(t, c, func(tx *state.Txn) { region.Addons.Put(tx, c.cluster.ID+"/"+ebsAddon.name, addon) })
	want("another role", 2, 1, 2)
	leader = "us-east-1b"
	want("another zone leads", 2, 0, 2)
	leader = c.host.Plan.Zone
	want("it leads again", 3, 1, 3)
	update(t, c, func(tx *state.Txn) { region.Addons.Delete(tx, c.cluster.ID+"/"+ebsAddon.name) })
	want("the add-on is deleted", 3, 0, 0)
	c.host.Storage = nil
	if _, err := c.keepStorage(t.Context()); !errors.Is(err, reconcile.ErrDone) {
		t.Errorf("a zone without drivers keeps one: %v", err)
	}
}

func TestTheDriverCallsAWSByPodIdentityOrElseByANodesRole(t *testing.T) {
	c := joiningPart(t, &recorder{})
	c.host.Now = time.Now
	if _, _, err := c.driverCredentials(t.Context(), ebsAddon); err == nil || !strings.Contains(err.Error(), "no node") {
		t.Errorf("without nodes: %v", err)
	}
	update(t, c, func(tx *state.Txn) {
		region.Roles.Put(tx, "ebs", region.Role{Name: "ebs", ID: "AROAEBS", ARN: "arn:aws:iam::000000000000:role/ebs",
			TrustPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
				`"Action":["sts:AssumeRole","sts:TagSession"]}}`})
		region.PodIdentityAssociations.Put(tx, c.cluster.ID+"/a", region.PodIdentityAssociation{ClusterID: c.cluster.ID, ID: "a",
			Namespace: "kube-system", ServiceAccount: ebsAddon.account, RoleARN: "arn:aws:iam::000000000000:role/ebs"})
	})
	found, expires, err := c.driverCredentials(t.Context(), ebsAddon)
	if err != nil || found.SessionToken == "" || expires.Before(time.Now()) {
		t.Errorf("by Pod Identity: %+v until %v, %v", found, expires, err)
	}
	update(t, c, func(tx *state.Txn) { region.Roles.Delete(tx, "ebs") })
	_, _, err = c.driverCredentials(t.Context(), ebsAddon)
	if err == nil || !strings.Contains(err.Error(), "not authorized to assume the role") {
		t.Errorf("without the role: %v", err)
	}
}
