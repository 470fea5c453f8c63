package ec2

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tripod/awsapi/operation"
	"tripod/iam"
)

func TestReservedTagsAreAServicesToChange(t *testing.T) {
	s := newService()
	by := func(service, name string, params ...string) error {
		var policies []string // a service needs none for its own tags
		if service == "" {
			policies = []string{iam.AdministratorAccess}
		}
		values := url.Values{"Action": {name}, "Version": {Version}, "ResourceId.1": {s.VPC.ID()}}
		for _, param := range params {
			key, value, _ := strings.Cut(param, "=")
			values.Set(key, value)
		}
		return s.API().Serve(httptest.NewRecorder(), &operation.Call{RequestID: "id", Params: values,
			Request:   httptest.NewRequest("POST", "/", nil),
			Principal: iam.Principal{ARN: "arn:aws:iam::111122223333:user/admin", Policies: policies, Service: service}})
	}
	const eks = "eks.amazonaws.com"
	if err := by(eks, "CreateTags", "Tag.1.Key=aws:eks:cluster-name", "Tag.1.Value=demo"); err != nil {
		t.Fatal(err)
	}
	if err := by("", "CreateTags", "Tag.1.Key=mine", "Tag.1.Value=x"); err != nil {
		t.Fatal(err)
	}
	tagged := func(key string) bool {
		return strings.Contains(must(t, s, "DescribeTags", "Filter.1.Name=key", "Filter.1.Value.1="+key), "<key>"+key+"</key>")
	}
	for _, which := range [][]string{{"Tag.1.Key=aws:eks:cluster-name"}, nil} { // nil: all there are
		if err := by("", "DeleteTags", which...); err != nil {
			t.Fatal(err)
		}
		if !tagged("aws:eks:cluster-name") {
			t.Fatalf("DeleteTags %v takes a reserved tag away", which)
		}
	}
	if tagged("mine") {
		t.Error("DeleteTags of all leaves the caller's own")
	}
	for _, name := range []string{"CreateTags", "DeleteTags"} {
		if err := by(eks, name, "Tag.1.Key=aws:eks:cluster-name", "Tag.2.Key=mine"); code(err) != "UnauthorizedOperation" {
			t.Errorf("%s of a tag that is not its own: got %v", name, err)
		}
	}
	if err := by(eks, "DeleteTags", "Tag.1.Key=aws:eks:cluster-name"); err != nil || tagged("aws:eks:cluster-name") {
		t.Errorf("a service cannot take its tag away: %v", err)
	}
}
