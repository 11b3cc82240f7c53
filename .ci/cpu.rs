//! Prints which of the features that the codec looks for this processor has.

fn main() {
    println!(
        "ssse3={} avx2={} avx512={}",
        is_x86_feature_detected!("ssse3"),
        is_x86_feature_detected!("avx2"),
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2"),
    );
}
