package eks_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// authorities are demo's, by id, as they are listed.
func (w *world) authorities(t *testing.T) map[string]types.CertificateAuthoritySummary {
	t.Helper()
	byID := map[string]types.CertificateAuthoritySummary{}
	for _, a := range must(w.ListCertificateAuthorities(ctx,
		&eks.ListCertificateAuthoritiesInput{ClusterName: aws.String("demo")}))(t).CertificateAuthorities {
		byID[aws.ToString(a.Id)] = a
	}
	return byID
}

func (w *world) wantAuthority(t *testing.T, when, id string, signing types.CertificateAuthoritySigningStatus,
	distribution types.CertificateAuthorityDistributionStatus) {
	t.Helper()
	if got := w.authorities(t)[id]; got.SigningStatus != signing || got.DistributionStatus != distribution {
		t.Errorf("%s: authority %s is %s and %s, want %s and %s", when, id, got.SigningStatus, got.DistributionStatus,
			signing, distribution)
	}
}

// endRollout ends demo's rollout well or badly, as the zones do.
func (w *world) endRollout(t *testing.T, well bool) {
	t.Helper()
	w.set(t, func(c *region.Cluster) {
		before, rollout := c.Components, c.Rollout
		c.Status, c.Rollout = "ACTIVE", nil
		if well {
			c.Components = *rollout.Components
			c.Forget(before, time.Now())
		}
	})
}

func TestAuthorityIsRotated(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	var first string
	for first = range w.authorities(t) {
	}
	w.wantAuthority(t, "at first", first, "IN_USE", "COMPLETE")
	made := must(w.CreateCertificateAuthority(ctx, &eks.CreateCertificateAuthorityInput{ClusterName: demo}))(t)
	second := aws.ToString(made.CertificateAuthority.Id)
	if made.CertificateAuthority.DistributionStatus != "IN_PROGRESS" ||
		made.Update.Type != types.UpdateTypeCertificateAuthorityUpdate || made.CertificateAuthority.CreatedBy != "CUSTOMER" {
		t.Errorf("got %+v", made)
	}
	activate := func(id string) (*eks.ActivateCertificateAuthorityOutput, error) {
		return w.ActivateCertificateAuthority(ctx,
			&eks.ActivateCertificateAuthorityInput{ClusterName: demo, CertificateAuthorityId: aws.String(id)})
	}
	remove := func(id string) (*eks.DeleteCertificateAuthorityOutput, error) {
		return w.DeleteCertificateAuthority(ctx,
			&eks.DeleteCertificateAuthorityInput{ClusterName: demo, CertificateAuthorityId: aws.String(id)})
	}
	busy, err := activate(second)
	wantError(t, busy, err, taken)
	w.endRollout(t, true)
	w.wantAuthority(t, "distributed", second, "NOT_USED", "COMPLETE")
	third, err := w.CreateCertificateAuthority(ctx, &eks.CreateCertificateAuthorityInput{ClusterName: demo})
	wantError(t, third, err, "ResourceLimitExceededException")
	data := func() string {
		c := must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: demo}))(t).Cluster
		text, err := base64.StdEncoding.DecodeString(aws.ToString(c.CertificateAuthority.Data))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	both := data()
	if !strings.Contains(both, record(t, w, "demo").Authorities[1].Cert) ||
		!strings.HasPrefix(both, record(t, w, "demo").Authorities[0].Cert) {
		t.Errorf("the cluster shows %q, want both certificates", both)
	}

	out, err := remove(first)
	wantError(t, out, err, refused)
	if got := must(activate(second))(t).CertificateAuthority.SigningStatus; got != "ACTIVATING" {
		t.Errorf("got %s", got)
	}
	w.endRollout(t, true)
	w.wantAuthority(t, "activated", second, "IN_USE", "COMPLETE")
	w.wantAuthority(t, "activated", first, "NOT_USED", "COMPLETE")
	described := must(w.DescribeCertificateAuthority(ctx,
		&eks.DescribeCertificateAuthorityInput{ClusterName: demo,
			CertificateAuthorityId: aws.String(second)}))(t).CertificateAuthority
	if !aws.ToBool(described.RollbackAvailable) || described.ActivatedBy != "CUSTOMER" || described.Validity == nil ||
		aws.ToString(described.Data) == "" {
		t.Errorf("got %+v", described)
	}
	again, err := activate(second)
	wantError(t, again, err, refused)
	unknown, err := activate("none")
	wantError(t, unknown, err, missing)
	must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, KubeApiServerConfig: eventTTL("10m")}))(t)
	if next := record(t, w, "demo").Rollout.Components; next.Signer != second || len(next.Trusted) != 2 {
		t.Errorf("another setting changes the authorities: %+v", next)
	}
	w.endRollout(t, false)

	must(remove(first))(t)
	w.wantAuthority(t, "deleted", first, "NOT_USED", "DELETING")
	w.endRollout(t, true)
	if all := w.authorities(t); len(all) != 1 || data() != record(t, w, "demo").Authorities[0].Cert {
		t.Errorf("left are %+v, and the cluster shows %q", all, data())
	}
}

func TestAuthorityThatCouldNotBeDistributedIsDeletedAtOnce(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	id := must(w.CreateCertificateAuthority(ctx,
		&eks.CreateCertificateAuthorityInput{ClusterName: demo}))(t).CertificateAuthority.Id
	w.endRollout(t, false)
	w.wantAuthority(t, "failed", *id, "NOT_USED", "FAILED")
	out, err := w.ActivateCertificateAuthority(ctx,
		&eks.ActivateCertificateAuthorityInput{ClusterName: demo, CertificateAuthorityId: id})
	wantError(t, out, err, refused)
	must(w.DeleteCertificateAuthority(ctx,
		&eks.DeleteCertificateAuthorityInput{ClusterName: demo, CertificateAuthorityId: id}))(t)
	if all := w.authorities(t); len(all) != 1 || record(t, w, "demo").Status != "ACTIVE" {
		t.Errorf("left are %+v", all)
	}
}
