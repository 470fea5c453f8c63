package operation

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/wire"
)

func TestJSONOperationIsDecodedValidatedAndAnswered(t *testing.T) {
	limited := wire.Constraints{"CreateClusterRequest": {Required: []string{"name"}}}
	api := &JSONAPI{Name: "test", Actions: map[string]Action{
		"Create": Typed(Model{Constraints: limited},
			func(_ *Call, in *eks.CreateClusterInput) (*eks.CreateClusterOutput, error) {
				return &eks.CreateClusterOutput{Cluster: &types.Cluster{Name: in.Name}}, nil
			}),
	}}
	for _, c := range []struct{ target, body, want string }{
		{"T.Create", `{"name":"demo"}`, `{"cluster":{"name":"demo"}}`},
		{"T.Create", `{}`, "ValidationException: 1 validation error detected: Value null at 'name' failed to satisfy " +
			"constraint: Member must not be null"},
		{"T.Create", `[]`, "SerializationException"},
		{"T.Other", `{}`, "UnknownOperationException: Tripod does not have test:Other yet."},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amz-Target", c.target)
		w := httptest.NewRecorder()
		err := api.Serve(w, &Call{Operation: api.Operation(strings.TrimPrefix(c.target, "T.")), Request: r,
			Body: []byte(c.body)})
		got := w.Body.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: got %s, want %s", c.target, c.body, got, c.want)
		}
	}
}
