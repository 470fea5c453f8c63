package wire_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/wire"
)

type queryTag struct {
	Key   string `query:",required"`
	Value string
}

type queryPaging struct{ MaxItems *int }

type queryInput struct {
	queryPaging
	RoleName string `query:",required"`
	ARN      string `query:"Arn"`
	Default  bool
	Names    []string
	Tags     []queryTag
}

func TestQueryParametersFillAStruct(t *testing.T) {
	five := 5
	var got queryInput
	err := wire.DecodeQuery(url.Values{
		"Action": {"X"}, "Version": {"1"}, "X-Amz-Date": {"x"}, "RoleName": {"r"}, "Arn": {"a"}, "Default": {"true"},
		"MaxItems": {"5"}, "Names": {""},
		"Tags.member.10.Key": {"ten"}, "Tags.member.2.Key": {"two"}, "Tags.member.2.Value": {"2"},
	}, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := queryInput{queryPaging{&five}, "r", "a", true, []string{}, []queryTag{{"two", "2"}, {"ten", ""}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(queryInput{})); diff != "" {
		t.Error(diff)
	}
}

func TestZeroIsAValueOfARequiredQueryParameter(t *testing.T) {
	var got struct {
		Flag  bool `query:",required"`
		Count *int `query:",required"`
	}
	if err := wire.DecodeQuery(url.Values{"Flag": {"false"}, "Count": {"0"}}, &got); err != nil || got.Count == nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStructsAndFractionsOfQueryParametersMayBeAbsent(t *testing.T) {
	type limits struct{ Least, Most *float64 }
	var got struct{ Given, Absent, Empty *limits }
	err := wire.DecodeQuery(url.Values{"Given.Least": {"0.5"}, "Empty": {""}}, &got)
	if err != nil || got.Given == nil || *got.Given.Least != 0.5 || got.Given.Most != nil || got.Absent != nil ||
		got.Empty != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := wire.DecodeQuery(url.Values{"Given.Least": {"NaN"}}, &got); err == nil {
		t.Error("NaN is taken for a number")
	}
}

func TestQueryParametersThatDoNotFitAreRefused(t *testing.T) {
	for name, change := range map[string]url.Values{
		"missing":              {"RoleName": nil},
		"empty":                {"RoleName": {""}},
		"twice":                {"RoleName": {"a", "b"}},
		"control characters":   {"RoleName": {"a\x00"}},
		"no UTF-8":             {"RoleName": {"a\xff"}},
		"unknown":              {"Other": {"a"}},
		"no number":            {"MaxItems": {"five"}},
		"large number":         {"MaxItems": {"99999999999999999999"}},
		"no boolean":           {"Default": {"yes"}},
		"list as text":         {"Names": {"a"}},
		"element without name": {"Names.1": {"a"}},
		"element no number":    {"Names.member.01": {"a"}},
		"element zero":         {"Names.member.0": {"a"}},
		"empty element":        {"Names.member.1": {""}},
		"element with members": {"Names.member.1.Key": {"a"}},
		"tag without key":      {"Tags.member.1.Value": {"a"}},
		"tag as text":          {"Tags.member.1": {"a"}},
	} {
		params := url.Values{"RoleName": {"r"}}
		for key, values := range change {
			if params[key] = values; values == nil {
				delete(params, key)
			}
		}
		var refused *wire.Error
		if err := wire.DecodeQuery(params, new(queryInput)); !errors.As(err, &refused) ||
			refused.Code != "ValidationError" || refused.Status != 400 {
			t.Errorf("%s: got %v, want a ValidationError", name, err)
		}
	}
}
