package wire

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
)

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
