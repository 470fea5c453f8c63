package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
)

func TestJSONOperationIsDecodedValidatedAndAnswered(t *testing.T) {
	limited := Constraints{"CreateClusterRequest": {Required: []string{"name"}}}
	api := &JSONAPI{Name: "test", Actions: map[string]Action{
		"Create": Typed(limited, InvalidInput, func(_ *Call, in *eks.CreateClusterInput) (*eks.CreateClusterOutput, error) {
			return &eks.CreateClusterOutput{Cluster: &types.Cluster{Name: in.Name}}, nil
		}),
	}}
	for _, c := range []struct{ target, body, want string }{
		{"T.Create", `{"name":"demo"}`, `{"cluster":{"name":"demo"}}`},
		{"T.Create", `{}`, "ValidationException: 1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{"T.Create", `[]`, "SerializationException"},
		{"T.Other", `{}`, "UnknownOperationException: Tripod does not have test:Other yet."},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amz-Target", c.target)
		w := httptest.NewRecorder()
		err := api.Serve(w, &Call{Operation: api.Operation(strings.TrimPrefix(c.target, "T.")), Request: r, Body: []byte(c.body)})
		got := w.Body.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: got %s, want %s", c.target, c.body, got, c.want)
		}
	}
}

func TestJSONErrorsNameTheirTypeInTheBody(t *testing.T) {
	message := "gone"
	for _, c := range []struct {
		shape smithy.Serializable
		want  string
	}{
		{&types.NotFoundException{Message: &message}, `{"__type":"NotFoundException","message":"gone"}`},
		{&types.NotFoundException{}, `{"__type":"NotFoundException"}`},
	} {
		e := Modelled(c.shape.(Exception), schemas.NotFoundException)
		if got := string(jsonError(AWSJSON, e)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestBlobsAreMeasuredAsTheBytesThatTheyStandFor(t *testing.T) {
	for text, want := range map[string]int{"": 0, "YQ==": 1, "YWI=": 2, "YWJj": 3} {
		if got := base64Size(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
