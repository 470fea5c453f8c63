package eks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

func TestEveryModelledExceptionHasItsStatusAndMembers(t *testing.T) {
	a := about{cluster: "demo", nodegroup: "workers", fargateProfile: "f", addon: "coredns", subscription: "s"}
	for code, c := range map[string]struct {
		err     error
		status  int
		members string
	}{
		"ResourceNotFoundException": {a.notFound("No %s.", "x"), 404,
			"addonName clusterName fargateProfileName nodegroupName subscriptionId"},
		"ResourceInUseException": {a.inUse("No %s.", "x"), 409, "addonName clusterName nodegroupName"},
		"InvalidParameterException": {a.invalidParameter("No %s.", "x"), 400,
			"addonName clusterName fargateProfileName nodegroupName subscriptionId"},
		"InvalidRequestException": {a.invalidRequest("No %s.", "x"), 400,
			"addonName clusterName nodegroupName subscriptionId"},
		"ResourceLimitExceededException": {a.limitExceeded("No %s.", "x"), 400, "clusterName nodegroupName subscriptionId"},
		"InvalidStateException":          {a.invalidState("No %s.", "x"), 400, "clusterName"},
		"BadRequestException":            {badRequest("No %s.", "x"), 400, ""},
		"NotFoundException":              {noResource("No %s.", "x"), 404, ""},
	} {
		var e *wire.Error
		if !errors.As(c.err, &e) || e.Code != code || e.Status != c.status || e.Message != "No x." {
			t.Errorf("%s: got %+v, want status %d", code, c.err, c.status)
			continue
		}
		answer := httptest.NewRecorder()
		wire.WriteError(answer, httptest.NewRequest("GET", "/", nil), wire.RestJSON, e, "id", "")
		for _, member := range strings.Fields("message " + c.members) {
			if !strings.Contains(answer.Body.String(), `"`+member+`":`) {
				t.Errorf("%s: got %s, want %s in it", code, answer.Body, member)
			}
		}
	}
}

func TestTokensAreForgottenAfterADay(t *testing.T) {
	store := region.NewMemory()
	s := &Service{Region: "us-east-1", AccountID: "111122223333", State: store}
	call := &operation.Call{Operation: "CreateThing", Request: httptest.NewRequest("POST", "/", nil)}
	made := 0
	create := func(token string, now time.Time) int {
		t.Helper()
		attempt, err := s.idempotent(call, &token, "parameters")
		if err != nil {
			t.Fatal(err)
		}
		attempt.now = now
		out := new(int)
		if err := store.Update(call.Request.Context(), func(tx *state.Txn) (err error) {
			out, err = once(tx, attempt, "CLUSTER", func() (*int, string, error) {
				made++
				n := made
				return &n, "", nil
			})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return *out
	}
	long := time.Now().Add(-72 * time.Hour)
	if first, again, later := create("a", long), create("a", long.Add(23*time.Hour)),
		create("a", long.Add(24*time.Hour)); first != 1 || again != 1 || later != 2 {
		t.Errorf("got %d, %d and %d, want 1, 1 and 2", first, again, later)
	}
	sweeper := ""
	for i := 0; sweeper == ""; i++ {
		if token := fmt.Sprint("token-", i); sha256.Sum256([]byte(token))[0] < 256/sweepers {
			sweeper = token
		}
	}
	create(sweeper, time.Now())
	if err := store.View(func(tx *state.Txn) error {
		if left := attempts.List(tx); len(left) != 1 {
			t.Errorf("%d attempts are remembered, want the last alone", len(left))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
