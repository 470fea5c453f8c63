package eksauth_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/eksauth"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/issuer"
	"tripod/region"
	"tripod/state"
)

const (
	account    = iam.DefaultAccountID
	clusterID  = "0123456789ABCDEF0123456789ABCDEF"
	clusterARN = "arn:aws:eks:us-east-1:" + account + ":cluster/demo"
	issuerURL  = "https://localhost:4566/id/" + clusterID
	roleARN    = "arn:aws:iam::" + account + ":role/apps/shop"
	targetARN  = "arn:aws:iam::" + account + ":role/target"
	externalID = "us-east-1/" + account + "/demo/web/shop"
)

var (
	now  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	node = iam.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/node/i-0", AccountID: account,
		Documents: []string{
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"eks-auth:AssumeRoleForPodIdentity","Resource":"` +
				clusterARN + `"}}`}}
	tags = map[string]string{
		"eks-cluster-arn": clusterARN, "eks-cluster-name": "demo", "kubernetes-namespace": "web",
		"kubernetes-service-account": "shop",
		"kubernetes-pod-name":        "shop-5d4f8c7b9-x2x4z", "kubernetes-pod-uid": "11111111-2222-3333-4444-555555555555",
	}
)

// world is a region with the cluster demo, whose service account web/shop has a role.
type world struct {
	*state.Memory
	t     *testing.T
	own   *issuer.Issuer
	roles map[string]string // trust policies by ARN
	shop  region.PodIdentityAssociation
	allow string // what the role shop may do, as an inline policy
}

// pods is the usual trust policy of a pod's role, with a condition or none.
func pods(condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},
		"Action":["sts:AssumeRole","sts:TagSession"]` + condition + `}}`
}

func newWorld(t *testing.T) *world {
	return &world{t: t, own: issuer.New(t), roles: map[string]string{roleARN: pods("")},
		shop: region.PodIdentityAssociation{
			ClusterID: clusterID, ID: "a-1", ARN: "arn:aws:eks:us-east-1:" + account + ":podidentityassociation/demo/a-1",
			Namespace: "web", ServiceAccount: "shop", RoleARN: roleARN}}
}

func (w *world) start() {
	w.Memory = region.NewMemory(func(tx *state.Txn) {
		region.Clusters.Put(tx, clusterID,
			region.Cluster{ID: clusterID, Name: "demo", Issuer: issuerURL,
				Secrets: region.ClusterSecrets{ServiceAccountKey: w.own.PEM}})
		region.PodIdentityAssociations.Put(tx, clusterID+"/a-1", w.shop)
		for arn, trust := range w.roles {
			role := region.Role{Name: arn[regexp.MustCompile(`.*/`).FindStringIndex(arn)[1]:], ARN: arn, TrustPolicy: trust}
			role.ID = "AROA" + role.Name
			if arn == roleARN && w.allow != "" {
				role.Inline = map[string]string{"allow": w.allow}
			}
			region.Roles.Put(tx, role.Name, role)
		}
	})
}

// claims are those of the pod's token, with changes.
func claims(changes ...any) map[string]any {
	c := map[string]any{
		"iss": issuerURL, "aud": []string{eksauth.Audience}, "sub": "system:serviceaccount:web:shop",
		"exp": now.Add(time.Hour).Unix(), "nbf": now.Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      "web",
			"serviceaccount": map[string]string{"name": "shop", "uid": "66666666-7777-8888-9999-000000000000"},
			"pod":            map[string]string{"name": tags["kubernetes-pod-name"], "uid": tags["kubernetes-pod-uid"]},
		},
	}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i].(string)] = changes[i+1]
	}
	return c
}

func (w *world) call(by iam.Principal, body string) (eksauth.Answer, error) {
	w.t.Helper()
	if w.Memory == nil {
		w.start()
	}
	service := &eksauth.Service{Region: "us-east-1", AccountID: account, State: w, Now: func() time.Time { return now }}
	recorder := httptest.NewRecorder()
	err := service.API().Serve(recorder,
		&operation.Call{Operation: eksauth.Operation, Principal: by, Labels: map[string]string{"clusterName": "demo"},
			Body: []byte(body), Request: httptest.NewRequest("POST", "/clusters/demo/assume-role-for-pod-identity", nil)})
	var answer eksauth.Answer
	if err == nil {
		err = json.Unmarshal(recorder.Body.Bytes(), &answer)
	}
	return answer, err
}

func (w *world) assume(claims map[string]any) (eksauth.Answer, error) {
	return w.call(node, `{"token":"`+w.own.Sign(claims)+`"}`)
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	var e *wire.Error
	if want == "" && err == nil {
		return
	}
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestPodsCredentialsAreTheRolesWithItsTags(t *testing.T) {
	w := newWorld(t)
	got, err := w.assume(claims())
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^arn:aws:sts::` + account + `:assumed-role/shop/eks-demo-shop-5d4f8-[0-9a-f-]{36}$`).MatchString(got.AssumedRole.ARN) {
		t.Errorf("assumed %s", got.AssumedRole.ARN)
	}
	if want := now.Add(6 * time.Hour).Unix(); got.Credentials.Expiration != want || got.Audience != eksauth.Audience ||
		got.Association.ID != "a-1" {
		t.Errorf("got %+v, want an expiration at %d", got, want)
	}
	if want := (eksauth.Subject{Namespace: "web", ServiceAccount: "shop"}); got.Subject != want {
		t.Errorf("got %v, want %v", got.Subject, want)
	}
	principal, secret, err := iam.Lookup(w, got.Credentials.AccessKeyID, got.Credentials.SessionToken, now)
	if err != nil || secret != got.Credentials.SecretAccessKey || principal.ARN != got.AssumedRole.ARN ||
		principal.IssuerARN != roleARN {
		t.Fatalf("the credentials are those of %+v: %v", principal, err)
	}
	if diff := cmp.Diff(tags, principal.Tags); diff != "" {
		t.Errorf("session tags (-want +got):\n%s", diff)
	}
}

func TestOnlyThePodsOwnTokenCounts(t *testing.T) {
	bound := func(changes ...any) map[string]any {
		b := maps.Clone(claims()["kubernetes.io"].(map[string]any))
		for i := 0; i < len(changes); i += 2 {
			b[changes[i].(string)] = changes[i+1]
		}
		return b
	}
	w := newWorld(t)
	for name, c := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"expired":            {claims("exp", now.Unix()), "ExpiredTokenException"},
		"without expiry":     {claims("exp", nil), "ExpiredTokenException"},
		"not valid yet":      {claims("nbf", now.Add(time.Minute).Unix()), "InvalidTokenException"},
		"for STS":            {claims("aud", "sts.amazonaws.com"), "InvalidTokenException"},
		"of another issuer":  {claims("iss", "https://example.com"), "InvalidTokenException"},
		"not bound to a pod": {claims("kubernetes.io", bound("pod", nil)), "InvalidTokenException"},
		"of another subject": {claims("sub", "system:serviceaccount:web:other"), "InvalidTokenException"},
		"without an association": {claims("sub", "system:serviceaccount:db:shop", "kubernetes.io",
			bound("namespace", "db")), "ResourceNotFoundException"},
		"for several, of them EKS": {claims("aud", []string{"x", eksauth.Audience}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.assume(c.claims)
			wantCode(t, err, c.want)
		})
	}
	for name, token := range map[string]string{
		"another's key": issuer.New(t).Sign(claims()), "no signature": w.own.SignAs("none", claims()), "no token": "x",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.call(node, `{"token":"`+token+`"}`)
			wantCode(t, err, "InvalidTokenException")
		})
	}
	for body, want := range map[string]string{"": "SerializationException", "{}": "InvalidParameterException",
		`{"token":1}`: "SerializationException"} {
		_, err := w.call(node, body)
		wantCode(t, err, want)
	}
}

func TestCallerNeedsThePermissionOfANode(t *testing.T) {
	w := newWorld(t)
	other := node
	other.Documents = nil
	_, err := w.call(other, `{"token":"`+w.own.Sign(claims())+`"}`)
	wantCode(t, err, "AccessDeniedException")
}

func TestRolesTrustDecides(t *testing.T) {
	const denied = "AccessDeniedException"
	for name, c := range map[string]struct {
		trust string
		tags  bool // disabled
		want  string
	}{
		"its tags": {pods(`,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"web",` +
			`"aws:RequestTag/eks-cluster-arn":"` + clusterARN + `"}}`), false, ""},
		"other tags": {pods(`,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"db"}}`),
			false, denied},
		"tags that are disabled": {pods(`,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"web"}}`),
			true, denied},
		"its cluster": {pods(`,"Condition":{"ArnEquals":{"aws:SourceArn":"` +
			clusterARN + `"},"StringEquals":{"aws:SourceAccount":"` + account + `"}}`), false, ""},
		"EC2 only": {`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
			`"Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}`, false, denied},
		"without TagSession": {`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
			`"Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`, false, denied},
		"without tags to give it": {`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
			`"Principal":{"Service":"pods.eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.roles[roleARN], w.shop.DisableSessionTags = c.trust, c.tags
			_, err := w.assume(claims())
			wantCode(t, err, c.want)
		})
	}
	w := newWorld(t)
	delete(w.roles, roleARN)
	_, err := w.assume(claims())
	wantCode(t, err, denied)
}

func TestTargetRoleIsAssumedByTheFirst(t *testing.T) {
	const denied = "AccessDeniedException"
	may := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],` +
		`"Resource":"` + targetARN + `"}}`
	trusts := func(principal, id string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` +
			principal + `"},"Action":["sts:AssumeRole","sts:TagSession"],
			"Condition":{"StringEquals":{"sts:ExternalId":"` + id + `","aws:RequestTag/kubernetes-service-account":"shop"}}}}`
	}
	for name, c := range map[string]struct{ trust, allow, want string }{
		"named":                    {trusts(roleARN, externalID), "", ""},
		"its account, and allowed": {trusts(account, externalID), may, ""},
		"its account, not allowed": {trusts(account, externalID), "", denied},
		"another external id":      {trusts(roleARN, "us-east-1/"+account+"/other/web/shop"), may, denied},
		"another role":             {trusts("arn:aws:iam::"+account+":role/other", externalID), may, denied},
		"named, but denied by role": {trusts(roleARN, externalID),
			`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:*","Resource":"*"}}`, denied},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.roles[targetARN], w.allow = c.trust, c.allow
			w.shop.TargetRoleARN, w.shop.ExternalID = targetARN, externalID
			got, err := w.assume(claims())
			wantCode(t, err, c.want)
			if err != nil {
				return
			}
			principal, _, err := iam.Lookup(w, got.Credentials.AccessKeyID, got.Credentials.SessionToken, now)
			if err != nil || principal.IssuerARN != targetARN || got.Credentials.Expiration != now.Add(time.Hour).Unix() {
				t.Errorf("got %s until %d: %v", principal.IssuerARN, got.Credentials.Expiration, err)
			}
		})
	}
}

func TestAssociationsPolicyNarrowsTheSession(t *testing.T) {
	w := newWorld(t)
	w.allow = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
	w.shop.DisableSessionTags, w.shop.Policy = true, `{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+
		`"Action":"s3:GetObject","Resource":"*"}}`
	got, err := w.assume(claims())
	if err != nil {
		t.Fatal(err)
	}
	principal, _, err := iam.Lookup(w, got.Credentials.AccessKeyID, got.Credentials.SessionToken, now)
	if err != nil || !principal.Allowed("s3:GetObject", "*") || principal.Allowed("s3:PutObject", "*") ||
		len(principal.Tags) > 0 {
		t.Errorf("got %+v: %v", principal, err)
	}
}
