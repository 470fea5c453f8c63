package wire_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/wire"
)

type ec2Required struct {
	Flag   bool    `ec2:"Flag,required"`
	Count  int     `ec2:"Count,required"`
	Share  float64 `ec2:"Share,required"`
	Switch *bool   `ec2:"Switch,required"`
	Inner  struct {
		Flag bool `ec2:"Flag,required"`
	} `ec2:"Inner,required"`
	Text  string   `ec2:"Text,required"`
	Texts []string `ec2:"Texts,required"`
}

func requiredParams() url.Values {
	return url.Values{"Flag": {"false"}, "Count": {"0"}, "Share": {"0"}, "Switch": {"false"}, "Inner.Flag": {"false"},
		"Text":    {"t"},
		"Texts.1": {""}}
}

func TestZeroIsAValueOfARequiredParameter(t *testing.T) {
	var got ec2Required
	if err := wire.DecodeEC2(requiredParams(), &got); err != nil {
		t.Fatal(err)
	}
	if want := (ec2Required{Switch: new(bool), Text: "t", Texts: []string{""}}); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestRequiredParametersThatAreAbsentOrEmptyAreMissing(t *testing.T) {
	for name := range requiredParams() {
		for _, value := range []url.Values{{}, {name: {""}}} {
			params := requiredParams()
			delete(params, name)
			for name, texts := range value {
				if name == "Texts.1" { // an empty text in a list is an element like others
					continue
				}
				params[name] = texts
			}
			var refused *wire.Error
			err := wire.DecodeEC2(params, new(ec2Required))
			if !errors.As(err,
				&refused) || refused.Code != "MissingParameter" &&
				(len(value) == 0 || refused.Code != "InvalidParameterValue") {
				t.Errorf("%v: got %v, want MissingParameter", params, err)
			}
		}
	}
}
